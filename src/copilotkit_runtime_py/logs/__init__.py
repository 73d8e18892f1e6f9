"""Log records of the runtime: the request they belong to, and the removal of credentials.

`records` adds the ids of request, thread and run to every record, `redaction` finds credentials, `config`
is the logging set-up of the command line. Imports no other package; every package may import from here.
"""

from .records import JSONFormatter, ScopeFilter

__all__ = ["JSONFormatter", "ScopeFilter"]
