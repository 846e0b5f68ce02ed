"""A project and its target, opened: what is asked of them, and what they are judged by.

The command line and the Python API begin here. Imports whatever it takes to open them; says what
there is to say to the ``Listener`` that it is given, and knows neither of the two.
"""
