"""The command line with leases of another length: `python -m tests.torture.worker LEASE_SECONDS ARG…`."""

import sys

from copilotkit_runtime_py.cli import main
from copilotkit_runtime_py.state_store.from_url import open_state_store

if __name__ == "__main__":
    assert open_state_store.__kwdefaults__ is not None
    open_state_store.__kwdefaults__["lease_seconds"] = float(sys.argv[1])
    sys.argv[1:2] = []
    main()
