"""Runs the servers under the load generator and keeps what it found; `scripts/compare` has made all ready."""
import argparse
import contextlib
import datetime
import json
import os
import shlex
import socket
import subprocess
import sys
import time

import report

TOOLS = "target/tools/peers"
DATA = "benches/compare.json"
SERVER_CORE, GENERATOR_CORE = "0", "1"

# How each is started. `quiet`: joins are not announced, which in a room of 10,000 would be 50 million frames before the
# measurement; it changes nothing within it.
PEERS = {
    "bare": f"{TOOLS}/bare/release/peer-bare PORT batched quiet",
    "bare-plain": f"{TOOLS}/bare/release/peer-bare PORT plain quiet",
    "roomcast": "target/release/roomcast serve --listen 127.0.0.1:PORT --rate 0 --log warn --database sqlite::memory:",
    "bun": f"{TOOLS}/node_modules/bun/bin/bun.exe benches/peers/bun.js PORT quiet",
    "tokio": f"{TOOLS}/tokio/release/peer-tokio PORT quiet",
    "gorilla": f"{TOOLS}/gorilla PORT quiet",
    "ws": f"node {TOOLS}/ws.mjs PORT quiet",
    "socketio": f"node {TOOLS}/socketio.mjs PORT quiet",
}
GENERATOR = "target/release/roomcast bench"
GENERATORS = {"socketio": "python3 benches/peers/socketio_load.py"}
SCENARIOS = {
    "room": "--mode room --members 1000 --senders 1 --payload 64 --window 1",
    "room-busy": "--mode room --members 1000 --senders 10 --payload 64 --window 16",
    "room-1k": "--mode room --members 1000 --senders 10 --payload 1024 --window 16",
    "room-16k": "--mode room --members 1000 --senders 1 --payload 16384 --window 1",
    "room-16k-busy": "--mode room --members 1000 --senders 1 --payload 16384 --window 16",
    "room-10000": "--mode room --members 10000 --senders 1 --payload 64 --window 1",
    "room-10000-busy": "--mode room --members 10000 --senders 10 --payload 64 --window 16",
    "pairs": "--mode pairs --members 2000 --payload 64 --window 1",
    "echo": "--mode echo --members 1000 --payload 64 --window 1",
    "idle": "--mode idle --members 10000",
    # Both at once: what is said in a large room must not keep small ones waiting for long.
    "neighbours": ("room-10000", "pairs"),
}
# Socket.IO's generator would be the bottleneck of the echo. Neighbours are a matter of how a server takes turns.
LEFT_OUT = {("echo", "socketio"), *(("neighbours", peer) for peer in PEERS if peer not in report.NEIGHBOURS)}


def names_of(known):
    def parse(text):
        names = text.split(",")
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"no {', '.join(unknown)} among {', '.join(known)}")
        return [name for name in known if name in names]
    return parse


def parse_options():
    parser = argparse.ArgumentParser(prog="scripts/compare", description="The same work on Roomcast and on its peers, "
                                     "and what each costs as a ratio to a bare loop of sends.")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is run (default 5)")
    parser.add_argument("--duration", default="5s", help="how long each run measures (default 5s)")
    parser.add_argument("--warmup", default="1s", help="load before that (default 1s)")
    parser.add_argument("--only", type=names_of(PEERS), metavar="PEER,…", default=list(PEERS),
                        help=f"of {', '.join(PEERS)}; bare always runs; only prints")
    parser.add_argument("--scenario", type=names_of(SCENARIOS), metavar="NAME,…", default=list(SCENARIOS),
                        help=f"of {', '.join(SCENARIOS)}; replaces just these in the data")
    parser.add_argument("--quick", action="store_true", help="one short round; only prints")
    parser.add_argument("--print-only", action="store_true", help="leave the data, README.md and the plot alone")
    parser.add_argument("--report-only", action="store_true", help="write the table and the plot anew from the data")
    parser.add_argument("--generator", default=GENERATOR, metavar="COMMAND", help=f"instead of {GENERATOR}")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.duration, options.warmup = 1, "1s", "200ms"
    options.print_only |= options.quick or options.only != list(PEERS)
    options.only = [peer for peer in PEERS if peer in options.only or peer == "bare"]
    return options


def run(peer, scenario, options):
    """One server, started, measured and ended: what was found, or why there is nothing."""
    try:
        if scenario == "neighbours":
            return run_neighbours(peer, *SCENARIOS[scenario], options)
        with serving(peer) as (server, url):
            return generate(peer, scenario, options, server, url)
    except (RuntimeError, ValueError, subprocess.TimeoutExpired) as error:
        return {"error": str(error)}


@contextlib.contextmanager
def serving(peer):
    """A server on a core of its own, and its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    serve = on_core(SERVER_CORE, PEERS[peer].replace("PORT", str(port)))
    # Whatever the user's own settings are, they are not compared.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ROOMCAST_")}
    with open(f"{TOOLS}/{peer}.log", "w") as log:
        server = subprocess.Popen(serve, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)
    try:
        wait_for(server, port)
        yield server, f"ws://127.0.0.1:{port}"
    finally:
        # What it has to say to so many clients in parting is of no interest.
        server.kill()
        server.wait()


def on_core(core, command):
    return ["taskset", "--cpu-list", core, *shlex.split(command)]


def generate(peer, scenario, options, server, url):
    """The generator's object."""
    command = on_core(GENERATOR_CORE, f"{GENERATORS.get(peer, options.generator)} {SCENARIOS[scenario]}")
    command += ["--duration", options.duration, "--warmup", options.warmup, "--pid", str(server.pid), "--json", url]
    load = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=180)
    if load.returncode != 0:
        raise RuntimeError(" ".join(load.stderr.split()[-30:]) or f"the generator ended with {load.returncode}")
    return json.loads(load.stdout)


def run_neighbours(peer, large, small, options):
    """How long deliveries in small rooms take beside a large one, and how long the server needs to tell all of that
    one something. The latter is the CPU time of the large room alone: what its generator sees of a message goes on
    until that has read all, so it would grow with the generator's slowness, and flatter."""
    with serving(peer) as (server, url):
        alone = generate(peer, large, options, server, url)
    with serving(peer) as (server, url), background(large, options, url) as told:
        beside = generate(peer, small, options, server, url)
        rate = told()
    flush_ms = alone["server"]["cpu_s_per_million"] * alone["members"] / 1e3
    p99_ms = beside["latency_us"]["p99"] / 1e3
    return {"p99_ms": round(p99_ms, 3), "flush_ms": round(flush_ms, 3), "ratio": round(p99_ms / flush_ms, 3),
            "deliveries_per_second": beside["deliveries_per_second"], "large_deliveries_per_second": rate}


@contextlib.contextmanager
def background(scenario, options, url):
    """A second load for as long as the first one takes; yields what tells its deliveries in the last second. Its
    generator is on the other one's core, since it would cost the server time on the server's, and runs only while the
    other one has nothing to do (SCHED_IDLE): so what that one measures is not the wait for a processor. Nor is the
    load less for it: while the server is busy with the large room, nobody else wants the core."""
    command = on_core(GENERATOR_CORE, f"chrt --idle 0 {options.generator} {SCENARIOS[scenario]} --duration 1h {url}")
    with open(f"{TOOLS}/background.log", "w+") as log:
        generator = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

        def lines():
            log.seek(0)
            return log.read().splitlines()

        try:
            until = time.monotonic() + 120
            while not any(line.startswith("measuring") for line in lines()):
                if time.monotonic() > until or generator.poll() is not None:
                    raise RuntimeError(" ".join(lines()[-1:]) or "the second generator does not begin")
                time.sleep(0.2)
            yield lambda: int(lines()[-1].split(", ")[1].split()[0])
        finally:
            generator.kill()
            generator.wait()


def wait_for(server, port):
    until = time.monotonic() + 10
    while time.monotonic() < until and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the server does not listen")


def machine():
    with open("/proc/cpuinfo") as cpuinfo:
        model = next((line.split(":")[1].strip() for line in cpuinfo if line.startswith("model name")), "unknown")
    return {"processor": model, "cores": os.cpu_count(), "kernel": os.uname().release.split("-")[0],
            "date": datetime.date.today().isoformat()}


def versions():
    def said(*command):
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()

    def module(name):
        with open(f"{TOOLS}/node_modules/{name}/package.json") as package:
            return json.load(package)["version"]

    def crate(name):
        with open("benches/peers/tokio/Cargo.lock") as lock:
            return lock.read().partition(f'name = "{name}"\nversion = "')[2].partition('"')[0]

    return {"Bun": module("bun"), "tokio": crate("tokio"), "tokio-tungstenite": crate("tokio-tungstenite"),
            "Go": said("go", "version").split()[2].removeprefix("go"),
            "gorilla/websocket": said("dpkg-query", "-W", "-f", "${Version}", "golang-github-gorilla-websocket-dev"),
            "Node": said("node", "--version").removeprefix("v"), "ws": module("ws"), "Socket.IO": module("socket.io"),
            "Rust": said("rustc", "--version").split()[1]}


def measure(options):
    """All runs of a scenario before the next; within it, one of each peer in every round."""
    runs = []
    for scenario in options.scenario:
        for round_ in range(options.rounds):
            for peer in options.only:
                if (scenario, peer) in LEFT_OUT:
                    continue
                result = run(peer, scenario, options)
                runs.append({"scenario": scenario, "peer": peer, "round": round_, **result})
                print(f"{scenario} {round_ + 1}/{options.rounds} {peer}: {report.in_words(result)}", file=sys.stderr)
    return runs


def main():
    options = parse_options()
    if options.report_only:
        with open(DATA) as file:
            return report.write(json.load(file), PEERS)
    if not options.print_only:
        report.check_markers()
    how = {"rounds": options.rounds, "duration": options.duration}
    runs = measure(options)
    scenarios = dict.fromkeys(options.scenario, how)
    data = {"machine": machine(), "versions": versions(), "scenarios": scenarios, "runs": runs}
    print(report.table(data, PEERS))
    if not options.print_only:
        if os.path.exists(DATA):
            with open(DATA) as file:
                data = report.merged(json.load(file), data, SCENARIOS)
        # A line for each run, so that a difference can be read.
        lines = ",\n".join(json.dumps(run) for run in data["runs"])
        with open(DATA, "w") as file:
            file.write(json.dumps({**data, "runs": []}).removesuffix("]}") + f"\n{lines}\n]}}\n")
        report.write(data, PEERS)
    if failed := [f"{run['scenario']} {run['peer']}: {run['error']}" for run in runs if "error" in run]:
        sys.exit("\n".join(["compare: some runs failed", *failed]))


if __name__ == "__main__":
    main()
