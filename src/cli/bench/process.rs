//! What Linux tells about processes and threads under `/proc`: CPU time and memory. `mod` asks for the server's, `load`
//! for that of the generator's own threads.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The kernel's unit in `/proc/PID/stat`; it has been the same on every platform for decades.
const TICK: Duration = Duration::from_millis(10);

/// CPU time used so far.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Cpu {
    /// In its own code, to 10 ms.
    pub(super) user: Duration,
    /// In the kernel, to 10 ms.
    pub(super) system: Duration,
    /// Both, to the nanosecond where the kernel keeps such an account.
    pub(super) total: Duration,
}

impl Cpu {
    /// What was used since then.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
            total: self.total.saturating_sub(earlier.total),
        }
    }
}

/// What a process has used and uses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    pub(super) cpu: Cpu,
    /// Memory of its own that is resident, in bytes: `RssAnon`.
    pub(super) resident: u64,
}

/// A process that is watched.
pub(super) struct Process {
    pid: u32,
    directory: PathBuf,
}

impl Process {
    pub(super) fn new(pid: u32) -> Self {
        Self { pid, directory: format!("/proc/{pid}").into() }
    }

    /// What it has used until now. A process that has ended, or never was, is an error.
    pub(super) fn usage(&self) -> Result<Usage, String> {
        self.try_usage().ok_or_else(|| format!("--pid: there is no process {} whose /proc can be read", self.pid))
    }

    fn try_usage(&self) -> Option<Usage> {
        let (user, system) = ticks(&read(&self.directory, "stat")?)?;
        let resident = resident(&read(&self.directory, "status")?)?;
        // The process's own schedstat is that of its first thread alone. A thread that has ended is missing from this
        // sum, but not from the ticks.
        let tasks = fs::read_dir(self.directory.join("task")).ok()?;
        let exact = tasks.filter_map(|task| run_time(&read(&task.ok()?.path(), "schedstat")?)).sum();
        Some(Usage { cpu: Cpu { user, system, total: (user + system).max(exact) }, resident })
    }
}

/// CPU time of the thread that asks; zero where the kernel keeps no exact account.
pub(super) fn own_thread() -> Duration {
    read(Path::new("/proc/thread-self"), "schedstat").and_then(|text| run_time(&text)).unwrap_or_default()
}

fn read(directory: &Path, file: &str) -> Option<String> {
    fs::read_to_string(directory.join(file)).ok()
}

/// User and system time in the text of a `stat`.
fn ticks(stat: &str) -> Option<(Duration, Duration)> {
    // The second field is the program's name in parentheses, and may have spaces and parentheses of its own.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11).map(|ticks| Some(TICK * ticks.parse().ok()?));
    Some((fields.next()??, fields.next()??))
}

/// Time on a processor in the text of a `schedstat`.
fn run_time(schedstat: &str) -> Option<Duration> {
    schedstat.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// `RssAnon` in the text of a `status`, in bytes.
fn resident(status: &str) -> Option<u64> {
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    kibibytes.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn texts_of_proc_are_read() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 124 0 1 0 345 67 8 9 20 0 1 0 5 9000 300\n";
        assert_eq!(ticks(stat), Some((Duration::from_millis(3_450), Duration::from_millis(670))));
        assert_eq!(run_time("190763944 9920585 357\n"), Some(Duration::from_nanos(190_763_944)));
        let status = "Name:\tx\nVmRSS:\t    9000 kB\nRssAnon:\t    1234 kB\nRssFile:\t       0 kB\n";
        assert_eq!(resident(status), Some(1234 * 1024));
        for wrong in ["", "7 (x) S", "7 (x) S 1 1 1 1 1 1 1 1 1 1 no 1"] {
            assert_eq!(
                (ticks(wrong), run_time(wrong).is_some(), resident(wrong)),
                (None, wrong.starts_with("7 "), None)
            );
        }
    }

    #[test]
    fn a_busy_thread_uses_its_time_and_the_process_knows() {
        let own = Process::new(std::process::id());
        let (before, thread_before, start) = (own.usage().unwrap(), own_thread(), Instant::now());
        while own_thread() - thread_before < Duration::from_millis(30) {
            assert!(start.elapsed() < Duration::from_secs(10));
        }
        let used = own.usage().unwrap().cpu.since(before.cpu);
        assert!(used.total >= Duration::from_millis(20), "{used:?}");
        assert!(before.resident > 0);
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        assert!(Process::new(u32::MAX).usage().is_err());
    }
}
