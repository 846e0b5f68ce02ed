"""What commands found, as values: a module for each kind of report.

Imports the engine's values, outcomes of ``apply``, ``documents`` and the text below. Commands
import it.
"""

from __future__ import annotations

from typing import Final

# The `format` of every JSON result, and the schema that it is valid by (`provisioner schema NAME`).
RESULTS: Final = {
    "provisioner-plan": "plan",
    **dict.fromkeys(
        (
            "provisioner-errors",
            "provisioner-apply",
            "provisioner-validation",
            "provisioner-roles",
            "provisioner-privileges",
            "provisioner-users",
            "provisioner-history",
            "provisioner-doctor",
            "provisioner-test",
            "provisioner-lint",
            "provisioner-access",
            "provisioner-explain",
            "provisioner-revoke",
            "provisioner-init",
            "provisioner-unlock",
        ),
        "results",
    ),
}
