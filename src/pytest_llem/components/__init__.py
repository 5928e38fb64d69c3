"""Components: what can be exchanged by name, and who offers it. Nothing here imports one."""
