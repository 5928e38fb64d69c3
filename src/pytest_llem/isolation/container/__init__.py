"""Children in containers, by the command line that Podman and Docker share."""
