"""From the data of `scripts/compare` to the table in README.md and the plot beside the benches."""
import html
import math
import statistics

README, PLOT = "README.md", "benches/compare.svg"
BEGIN, END = "<!-- compare:begin -->\n", "<!-- compare:end -->"
BASE = "bare"

PEERS = {"bare": "bare loop, batched", "bare-plain": "bare loop, plain", "roomcast": "Roomcast", "bun": "Bun",
         "tokio": "tokio-tungstenite", "gorilla": "gorilla (Go)", "ws": "ws (Node)", "socketio": "Socket.IO (Node)"}
SCENARIOS = {
    "room": "room of 1,000, S=1 P=64 W=1",
    "room-busy": "room of 1,000, S=10 P=64 W=16",
    "room-1k": "room of 1,000, S=10 P=1024 W=16",
    "room-16k": "room of 1,000, S=1 P=16384 W=1",
    "room-16k-busy": "room of 1,000, S=1 P=16384 W=16",
    "room-10000": "room of 10,000, S=1 P=64 W=1",
    "room-10000-busy": "room of 10,000, S=10 P=64 W=16",
    "pairs": "1,000 rooms of 2, P=64",
    "echo": "echo, 1,000 clients, P=64",
}
# What is measured of 10,000 connections that say nothing.
IDLE = {
    "bytes_per_idle_connection": "memory per idle connection, bytes",
    "cpu_us_per_connection": "CPU per accepted connection, µs",
}
COST, USER = "cpu_s_per_million", "user_s_per_million"
# Of whom it is told how small rooms fare beside a large one.
NEIGHBOURS = ("roomcast", "bun")


def merged(old, new, order):
    """New runs in place of old ones of the same scenarios; figures of other machines or versions don't mix."""
    same = all(old["machine"][key] == new["machine"][key] for key in ("processor", "cores", "kernel"))
    if not same or old["versions"] != new["versions"]:
        return new
    scenarios = {**old["scenarios"], **new["scenarios"]}
    kept = [run for run in old["runs"] if run["scenario"] not in new["scenarios"]]
    runs = sorted(kept + new["runs"], key=lambda run: list(order).index(run["scenario"]))
    return {**new, "scenarios": {name: scenarios[name] for name in order if name in scenarios}, "runs": runs}


def values(data, scenario, peer, key):
    """By round, where it went well."""
    runs = (run for run in data["runs"] if (run["scenario"], run["peer"]) == (scenario, peer) and "error" not in run)
    return {run["round"]: run["server"][key] for run in runs if run["server"][key] is not None}


def median(data, scenario, peer, key):
    found = values(data, scenario, peer, key)
    return statistics.median(found.values()) if found else None


def ratio(data, scenario, peer, key):
    """To the bare loop of the same round, so that a machine that changes its pace between rounds changes little."""
    base = values(data, scenario, BASE, key)
    ratios = [value / base[round_] for round_, value in values(data, scenario, peer, key).items() if base.get(round_)]
    return statistics.median(ratios) if ratios else None


def is_saturated(data, scenario, peer):
    """Whether the generator was the bottleneck, most of the time."""
    runs = [run for run in data["runs"] if (run["scenario"], run["peer"]) == (scenario, peer) and "error" not in run]
    return sum(run["generator"]["saturated"] for run in runs) * 2 > len(runs)


def short(value):
    """Two or three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)) - (value < 1))}f}" if value > 0 else "0"


def times(value):
    return f"{value:.2f}×" if value < 10 else f"{value:,.0f}×"


def in_words(result):
    if "error" in result:
        return result["error"]
    if "ratio" in result:
        return (f"p99 {short(result['p99_ms'])} ms, {times(result['ratio'])} {short(result['flush_ms'])} ms; "
                f"{result['deliveries_per_second']:,.0f} deliveries/s, "
                f"in the large room {result['large_deliveries_per_second']:,.0f}")
    server = result["server"]
    if result["mode"] == "idle":
        return ", ".join(f"{name.split(',')[0]} {short(server[key])}{name.split(',')[1]}" for key, name in IDLE.items())
    note = "; the generator was saturated" if result["generator"]["saturated"] else ""
    return (f"{short(server[COST])} s of CPU per million deliveries (user {short(server[USER])}), "
            f"{result['deliveries_per_second']:,.0f} deliveries/s{note}")


def cell(data, scenario, peer, key):
    value = median(data, scenario, peer, key)
    if value is None:
        return "–"
    # Idle figures are told as such: what counts there is how many fit on a host.
    if scenario == "idle":
        return short(value)
    text = f"{short(value)} s" if peer == BASE else times(ratio(data, scenario, peer, key) or math.nan)
    user = median(data, scenario, peer, USER)
    return f"{text} ({short(user)})" + ("†" if is_saturated(data, scenario, peer) else "")


def table(data, peers):
    shown = [peer for peer in peers if any(run["peer"] == peer for run in data["runs"])]
    rows = [[cell(data, name, peer, COST) for peer in shown] for name in SCENARIOS if name in data["scenarios"]]
    labels = [SCENARIOS[name] for name in SCENARIOS if name in data["scenarios"]]
    if "idle" in data["scenarios"]:
        rows += [[cell(data, "idle", peer, key) for peer in shown] for key in IDLE]
        labels += IDLE.values()
    lines = [["", *(PEERS[peer] for peer in shown)], ["---"] * (len(shown) + 1)]
    lines += [[label, *row] for label, row in zip(labels, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n\n" + legend(data, rows) + neighbours(data)


def neighbours(data):
    """A line of its own, since it is of time and not of cost; nothing, if it was not measured."""
    def middle(peer, key):
        return statistics.median(run[key] for run in runs if run["peer"] == peer)

    runs = [run for run in data["runs"] if run["scenario"] == "neighbours" and "error" not in run]
    told = [f"{PEERS[peer]} {short(middle(peer, 'p99_ms'))} ms, {times(middle(peer, 'ratio'))} the "
            f"{short(middle(peer, 'flush_ms'))} ms" for peer in NEIGHBOURS if any(run["peer"] == peer for run in runs)]
    if not told:
        return ""
    return ("\nA room of 10,000 (S=1 P=64 W=1) and 1,000 rooms of 2 (P=64 W=1) at once: within what time 99 of 100 "
            "deliveries in the small rooms arrive, and what that is of the CPU time of one message to all of the large "
            f"room. {'; '.join(told)}.\n")


def legend(data, rows):
    machine = data["machine"]
    rounds = "/".join(str(count) for count in sorted({how["rounds"] for how in data["scenarios"].values()}))
    parts = [
        "The server's CPU time for a million deliveries: of the batched bare loop in seconds, of the others as a ratio"
        " to it in the same round; in parentheses the seconds of it in user space."
        f" Medians of {rounds} interleaved rounds, server and generator on a core each, loopback."
        " S senders, P bytes of text, W messages outstanding for each sender."]
    if "idle" in data["scenarios"]:
        parts += ["The rows of idle connections are no ratios."]
    if "†" in str(rows):
        parts += ["† The generator was the bottleneck."]
    if any(run["peer"] == "socketio" for run in data["runs"]):
        parts += ["Socket.IO frames messages its own way:"
                  " a small generator in Python asks it, good to 25 %."]
    parts += [f"{machine['processor']}, {machine['cores']} cores, Linux {machine['kernel']}, {machine['date']};",
              ", ".join(f"{name} {version}" for name, version in data["versions"].items()) + "."]
    return " ".join(parts) + "\n"


# The plot: a panel for each scenario, a bar for each peer, its length the logarithm of the ratio. Colours that can be
# read on a light page and on a dark one.
STYLE = """text{font:12px system-ui,sans-serif;fill:#57606a}.title{font-weight:600}.bar{fill:#8c959f}.own{fill:#0969da}
.grid{stroke:#8c959f;stroke-opacity:.35}.base{stroke:#8c959f}text.own{fill:#0969da;font-weight:600}
@media(prefers-color-scheme:dark){text{fill:#9198a1}text.own,.own{fill:#4493f8}}"""
COLUMNS, PANEL, NAME, BAR, ROW = 3, 352, 122, 160, 17
TOP, TITLE, GAP = 46, 22, 26


def plot(data, peers):
    shown = [peer for peer in peers if peer != BASE and any(run["peer"] == peer for run in data["runs"])]
    panels = [(label, name, COST) for name, label in SCENARIOS.items() if name in data["scenarios"]]
    if "idle" in data["scenarios"]:
        panels += [(label.split(",")[0], "idle", key) for key, label in IDLE.items()]
    ratios = {(name, key): {peer: ratio(data, name, peer, key) for peer in shown} for _, name, key in panels}
    largest = max((value for row in ratios.values() for value in row.values() if value), default=10)
    decades = max(1, math.ceil(math.log10(largest)))
    height = TITLE + ROW * len(shown) + GAP
    size = COLUMNS * PANEL, TOP + math.ceil(len(panels) / COLUMNS) * height
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" role="img" '
             f'aria-label="Cost of each server as a ratio to a bare loop of sends">\n<style>{STYLE}</style>',
             '<text x="8" y="18" class="title">What a server costs, as a ratio to the batched bare loop (1×): '
             'CPU time per delivery; idle connections</text>',
             '<text x="8" y="35">logarithmic; shorter is better</text>']
    for index, (label, name, key) in enumerate(panels):
        x, y = index % COLUMNS * PANEL, TOP + index // COLUMNS * height
        parts.append(panel(x, y, label, ratios[name, key], decades))
    return "\n".join(parts) + "\n</svg>\n"


def panel(left, top, label, ratios, decades):
    zero, bottom = left + NAME, top + TITLE + ROW * len(ratios)
    parts = [f'<text x="{left + 8}" y="{top + 14}" class="title">{html.escape(label)}</text>']
    for decade in range(decades + 1):
        x = zero + BAR * decade / decades
        kind = "grid" if decade else "base"
        parts.append(f'<path class="{kind}" d="M{x:.1f} {top + TITLE - 2}V{bottom}"/>'
                     f'<text x="{x:.1f}" y="{bottom + 13}" text-anchor="middle" font-size="10">{10**decade:,}×</text>')
    for row, (peer, value) in enumerate(ratios.items()):
        y, own = top + TITLE + ROW * row, " own" if peer == "roomcast" else ""
        name = PEERS[peer].split(" (")[0]
        parts.append(f'<text x="{zero - 6}" y="{y + 12}" text-anchor="end" class="{own}">{html.escape(name)}</text>')
        # A value below 1 goes to the left of the line; more than a little of that would be a fault of the bare loop.
        end = BAR * max(-0.1, math.log10(value) / decades) if value else 0
        told = times(value) if value else "–"
        parts.append(f'<rect class="bar{own}" x="{zero + min(0, end):.1f}" y="{y + 3}" width="{abs(end):.1f}" '
                     f'height="{ROW - 6}"/>'
                     f'<text x="{zero + max(0, end) + 4:.1f}" y="{y + 12}" class="{own}">{told}</text>')
    return "\n".join(parts)


def check_markers():
    with open(README) as file:
        text = file.read()
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise SystemExit(f"compare: {README} needs one line {BEGIN.strip()} and, below it, one {END}")
    return text


def write(data, peers):
    before, _, rest = check_markers().partition(BEGIN)
    with open(README, "w") as file:
        file.write(before + BEGIN + "\n" + table(data, peers) + "\n" + END + rest.partition(END)[2])
    with open(PLOT, "w") as file:
        file.write(plot(data, peers))
