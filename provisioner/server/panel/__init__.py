"""The panel that a gateway serves: its versions, its rules, and what each route reads or writes."""
