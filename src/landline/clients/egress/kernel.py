"""What the Linux kernel is asked for so that a process and its children reach nothing but loopback.

Standard library only, and nothing of landline: it runs inside, before the client. Each function raises OSError with the
name of the call that the kernel refused.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import socket
import struct
from collections.abc import Sequence
from pathlib import Path

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWNET = 0x20000, 0x08000000, 0x10000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_PR_CAPBSET_DROP, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 24, 22, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL, _SECCOMP_MODE_FILTER = 4, 2
_CAPABILITY_VERSION_3 = 0x20080522
_MOUNT_SETATTR, _AT_RECURSIVE, _AT_FDCWD, _MOUNT_ATTR_RDONLY = 442, 0x8000, -100, 1

# Per machine: its name for seccomp; its numbers of ioctl, socket and socketpair; of add_key, request_key and keyctl.
# io_uring_setup is 425 on both.
_MACHINES = {
    "x86_64": (0xC000003E, (16, 41, 53), (248, 249, 250)),
    "aarch64": (0xC00000B7, (29, 198, 199), (217, 218, 219)),
}
_IO_URING_SETUP = 425
_X32_BIT = 0x40000000
# Local sockets, IPv4, IPv6, netlink: all four belong to the network namespace. Others (vsock, to the host of a virtual
# machine; Bluetooth) do not.
_FAMILIES = (1, 2, 10, 16)
# Both type into the terminal, which the user's own shell reads when the client has ended.
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def new_namespaces() -> None:
    """A network, mount and IPC namespace of its own, in a user namespace where the kernel gives one. User and group
    stay who they are, so that files have the right owner."""
    user, group = os.geteuid(), os.getegid()
    ranges = (_same_range("uid_map"), _same_range("gid_map"))
    flags = CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC
    libc = _libc()
    try:
        _checked(libc.unshare(flags | CLONE_NEWUSER), "unshare")
    except OSError:
        if user != 0:
            raise
        _checked(libc.unshare(flags), "unshare")  # root in a container that has no user namespaces
    else:
        _write_map(user, group, ranges)
    mount("none", "/", "", MS_REC | MS_PRIVATE)


def _write_map(user: int, group: int, ranges: tuple[str, str]) -> None:
    """Root keeps everybody, where it may: files of others keep their owners' names."""
    if user == 0 and _written("uid_map", ranges[0]):
        _write("gid_map", ranges[1])
        return
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        _write(name, text)


def _same_range(name: str) -> str:
    """Everybody who is known here, as himself."""
    lines = Path("/proc/self", name).read_text(encoding="ascii").splitlines()
    rows = [line.split() for line in lines]
    return "\n".join(f"{first} {first} {count}" for first, _, count in rows)


def _written(name: str, text: str) -> bool:
    try:
        _write(name, text)
    except OSError:
        return False
    return True


def _write(name: str, text: str) -> None:
    """In one call, as the kernel wants it."""
    descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    except OSError as error:
        raise OSError(error.errno, f"{name}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        asked = struct.pack("16sH22x", b"lo", 0)
        (flags,) = struct.unpack_from("H", fcntl.ioctl(one, _SIOCGIFFLAGS, asked), 16)
        fcntl.ioctl(one, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | _IFF_UP))


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    result = _libc().mount(source.encode(), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), data.encode())
    _checked(result, f"mount {target}")


def read_only(target: str) -> None:
    """A folder and everything mounted below it."""
    mount(target, target, "", MS_BIND | MS_REC)
    wanted = struct.pack("QQQQ", _MOUNT_ATTR_RDONLY, 0, 0, 0)
    call = _libc().syscall
    result = call(_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(target), _AT_RECURSIVE, wanted, ctypes.c_size_t(len(wanted)))
    _checked(result, f"mount_setattr {target}")


def drop_capabilities() -> None:
    """Now and for every program that is started later, root's too."""
    libc = _libc()
    _checked(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "prctl(PR_CAP_AMBIENT)")
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text(encoding="ascii"))
    for capability in range(last + 1):
        _checked(libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0), "prctl(PR_CAPBSET_DROP)")
    header, nothing = struct.pack("Ii", _CAPABILITY_VERSION_3, 0), bytes(24)
    _checked(libc.capset(header, nothing), "capset")


def no_new_privileges() -> None:
    _checked(_libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)")


def filter_calls() -> None:
    """Sockets of other families, io_uring (it would open them past this filter), typing into the terminal, and the
    kernel's keys: one that is not there is looked for by a program that the kernel starts outside, in the DNS too."""
    program = filter_program(platform.machine())
    buffer = ctypes.create_string_buffer(program, len(program))
    wanted = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer)))
    _checked(_libc().prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, wanted, 0, 0), "prctl(PR_SET_SECCOMP)")


# ------------------------------------------------------------------------------------------- a program for the kernel

_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_AT, _MACHINE_AT, _ARGUMENTS_AT = 0, 4, 16

Step = tuple[int, int, int, int]  # code, steps to skip if true, if false, operand


def filter_program(machine: str) -> bytes:
    """Raises OSError for a machine whose call numbers are not known here. Programs for another one are killed: a
    64-bit kernel would take their calls by other numbers."""
    if machine not in _MACHINES:
        raise OSError(errno.ENOSYS, f"no filter is known for the machine {machine}")
    name, (ioctl, new_socket, pair), keys = _MACHINES[machine]
    only = _any_of(0, _FAMILIES, then=_ALLOW, otherwise=_ERRNO | errno.EAFNOSUPPORT)
    typing = _any_of(1, (_TIOCSTI, _TIOCLINUX), then=_ERRNO | errno.EPERM, otherwise=_ALLOW)
    steps: list[Step] = [
        (_LOAD, 0, 0, _MACHINE_AT),
        (_IF_EQUAL, 1, 0, name),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_IF_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
        *_for_call(_IO_URING_SETUP, [(_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]),
        *(step for number in keys for step in _for_call(number, [(_RETURN, 0, 0, _ERRNO | errno.EPERM)])),
        *_for_call(ioctl, typing),
        *_for_call(new_socket, only),
        *_for_call(pair, only),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def _for_call(number: int, steps: Sequence[Step]) -> list[Step]:
    return [(_IF_EQUAL, 0, len(steps), number), *steps]


def _any_of(argument: int, values: Sequence[int], *, then: int, otherwise: int) -> list[Step]:
    """`then` if the lower half of that argument is one of the values: the kernel reads these as 32 bits too."""
    tests: list[Step] = [(_IF_EQUAL, len(values) - index, 0, value) for index, value in enumerate(values)]
    return [
        (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument),
        *tests,
        (_RETURN, 0, 0, otherwise),
        (_RETURN, 0, 0, then),
    ]
