"""`python -m mizzen.cli`: the same as the `mizzen` command."""

from mizzen.cli.main import main

raise SystemExit(main())
