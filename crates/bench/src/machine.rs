//! The machine: which cores the parts of a run use, and what is said about it in the report.

use std::fs;
use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores of a run: one for the gateway under test, another for load and mock.
#[derive(Clone, Copy, Debug)]
pub struct Cores {
    /// For the gateway.
    pub gateway: usize,
    /// For load and mock. The same as `gateway` where there is only one core.
    pub load: usize,
}

impl Cores {
    /// The first two cores that this process may use.
    ///
    /// # Errors
    /// Where the kernel does not say.
    pub fn choose() -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut usable = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        let gateway = usable.next().ok_or_else(|| io::Error::other("no core may be used"))?;
        Ok(Self { gateway, load: usable.next().unwrap_or(gateway) })
    }

    /// Whether gateway and load are apart: otherwise latencies mean little.
    #[must_use]
    pub const fn apart(self) -> bool {
        self.gateway != self.load
    }
}

/// Pins this thread, and what it starts from now on, to `core`.
///
/// # Errors
/// Where the kernel refuses.
pub fn pin(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// Allows as many open files as the system lets us: thousands of connections meet in one process.
///
/// # Errors
/// Where the kernel refuses.
pub fn raise_file_limit() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?)
}

/// Processes that ran or wanted to run over the last minute: before a run it should be near zero.
#[must_use]
pub fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(f64::NAN)
}

/// Facts for the report: processor, cores, memory, kernel.
#[must_use]
pub fn facts() -> Vec<(&'static str, String)> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split(':').nth(1)).map_or("unknown".into(), |value| value.trim().to_owned())
    };
    let (cpu, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    vec![
        ("processor", field(&cpu, "model name")),
        ("cores", cores.to_string()),
        ("memory", field(&memory, "MemTotal")),
        ("kernel", read("/proc/sys/kernel/osrelease").trim().to_owned()),
    ]
}
