"""The embedded cluster: a real control plane as host processes, simulated nodes, real Flux controllers, on loopback.

`python -m blackstart.embedded create|wait|start|stop|delete|status --cluster NAME` is its door for provisioners,
`lifecycle` the same for the command line.
"""
