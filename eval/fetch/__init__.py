"""`python -m eval fetch`: public suites, downloaded, verified and turned into manifests."""
