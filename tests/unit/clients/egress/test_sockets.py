from __future__ import annotations

from pathlib import Path, PurePosixPath

from landline.clients.egress.sockets import VARIABLES, hidden, whole_folder, without_sockets

TABLE = """Num       RefCount Protocol Flags    Type St Inode Path
00000000: 00000002 00000000 00010000 0001 01 12345 /opt/service/a socket with spaces
00000000: 00000002 00000000 00010000 0001 01 12346 @/x/.X11-unix/X0
00000000: 00000003 00000000 00000000 0001 03 12347
00000000: 00000002 00000000 00010000 0001 01 12348 relative.sock
00000000: 00000002 00000000 00010000 0001 01 12349 /socket-in-the-root
"""


def test_every_bound_socket_is_hidden_and_nothing_that_all_is_in():
    paths = hidden(TABLE, {}, uid=1000, home="/home/me")
    assert "/opt/service/a socket with spaces" in paths
    assert not [path for path in paths if path.startswith("@") or "relative" in path]
    assert all(len(PurePosixPath(path).parts) > 2 for path in paths)


def test_what_variables_name_is_hidden_in_each_of_their_forms():
    environ = {
        "DOCKER_HOST": "unix:///srv/docker.sock",
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/srv/bus,guid=1",
        "SSH_AUTH_SOCK": "/srv/ssh/agent.1",
        "TMUX": "/srv/tmux/default,123,0",
        "XDG_RUNTIME_DIR": "/srv/run-1000",
        "CONTAINER_HOST": "tcp://127.0.0.1:2375",
        "STY": "123.pts-0.host",
    }
    paths = hidden("", environ, uid=1000, home="/home/me")
    named = [path for path in paths if path.startswith("/srv")]
    assert named == [
        *("/srv/run-1000", "/srv/docker.sock", "/srv/bus", "/srv/ssh/agent.1", "/srv/tmux/default"),
    ]
    assert f"{Path('/', 'tmp', 'tmux-1000')}" in paths
    assert "/home/me/.docker/run" in paths


def test_the_variables_are_gone_and_all_others_stay():
    environ = {name: "x" for name in VARIABLES} | {"PATH": "/bin", "TERM": "xterm", "ANTHROPIC_MODEL": "m"}
    assert without_sockets(environ) == {"PATH": "/bin", "TERM": "xterm", "ANTHROPIC_MODEL": "m"}


def test_a_folder_of_sockets_is_hidden_whole_unless_something_in_it_is_needed():
    assert whole_folder("/srv/ssh/agent.1", True, []) == "/srv/ssh"
    assert whole_folder("/srv/ssh/agent.1", False, []) == "/srv/ssh/agent.1"
    assert whole_folder("/srv/ssh/agent.1", True, ["/srv/ssh/claude-settings.json"]) == "/srv/ssh/agent.1"
    assert whole_folder("/srv/agent.1", True, []) == "/srv/agent.1"
