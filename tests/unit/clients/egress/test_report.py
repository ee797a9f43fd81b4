from __future__ import annotations

from landline.clients.egress.destinations import Destination, Mode
from landline.clients.egress.facts import UNKNOWN, fact
from landline.clients.egress.report import MOST_DESTINATIONS, Outcome, Tried


def tried(mode: Mode = Mode.AUDIT, client: str = "claude") -> Tried:
    return Tried(client=client, mode=mode)


def test_nothing_tried_is_no_line_but_a_receipt_says_so():
    assert tried().summary() == ""
    assert tried().lines()[1:] == ["  no attempt beside the gateway"]
    assert len(tried(Mode.OPEN).lines()) == 1


def test_a_summary_counts_hosts_and_names_the_commonest():
    one = tried(Mode.PROXY_ONLY)
    for number in range(6):
        for _ in range(number + 1):
            one.add(Destination(f"h{number}.test", 443), Outcome.REFUSED if number == 5 else Outcome.ALLOWED)
    one.add(Destination("h0.test", 80), Outcome.FAILED)
    assert one.summary() == (
        "network: 22 attempts, 6 hosts, 6 refused: h5.test (6), h4.test (5), h3.test (4), h2.test (3) and 2 more"
    )


def test_a_receipt_says_what_each_host_is_for_and_what_turns_it_off():
    one = tried(Mode.LOCK)
    one.add(Destination("api.anthropic.com", 443), Outcome.REFUSED)
    one.add(Destination("api.anthropic.com", 443), Outcome.REFUSED)
    said = one.add(Destination("unknown.test", 443), Outcome.ALLOWED)
    first, vendor, other = one.lines()
    assert "enforced by the kernel" in first
    assert vendor.startswith("  api.anthropic.com:443  2 refused  ")
    assert "off by: skipWebFetchPreflight: true in settings.json; CLAUDE_CODE_" in vendor
    assert other == f"  unknown.test:443       1 allowed  {UNKNOWN}"
    assert said == f"allowed  unknown.test:443  {UNKNOWN}"


def test_only_lock_says_that_it_is_enforced():
    enforced = [mode for mode in Mode if tried(mode).document()["enforced"]]
    said = [mode for mode in Mode if "enforced by the kernel" in tried(mode).lines()[0]]
    assert enforced == said == [Mode.LOCK]
    assert "NOT ENFORCED" in tried(Mode.PROXY_ONLY).lines()[0]


def test_a_client_that_tries_everything_does_not_fill_the_memory():
    one = tried()
    for number in range(MOST_DESTINATIONS + 50):
        one.add(Destination(f"h{number}.test", 443), Outcome.ALLOWED)
    assert (len(one.by_destination), one.attempts) == (MOST_DESTINATIONS, MOST_DESTINATIONS + 50)
    assert one.lines()[-1] == "  and 50 more, not told apart"


def test_hosts_below_a_domain_are_known_and_other_clients_hosts_are_not():
    assert fact("claude", "registry.example").purpose == "the search for updates"
    assert fact("claude", "my-registry.example").purpose == UNKNOWN
    assert fact("claude", "http-intake.logs.us5.datadoghq.com").purpose.startswith("telemetry")
    assert fact("claude", "notdatadoghq.com").purpose == UNKNOWN
    assert fact("codex", "api.anthropic.com").purpose == UNKNOWN
    assert fact("nobody", "api.anthropic.com").purpose == UNKNOWN
