"""What a started client connects to beside the gateway: seen, refused, or made impossible (`launch --egress`).

PURE: `destinations` (what is allowed), `heads` (what a client asks a proxy), `variables` (what makes it ask), `facts`
(which host is what for), `report`, `sockets` (what else leads out of a network namespace). I/O: `proxy`, `relay`,
`chain` (the user's own proxy), `kernel` and `inside` (run in the namespace), `lock` (their other end), `line` (all
together). Decision 0021.
"""
