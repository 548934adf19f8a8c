//! What a process costs, as the operating system counts it.

use std::fs;
use std::io;
use std::time::Duration;

/// Processor time of all threads of a process: nanoseconds as the scheduler counts them.
///
/// # Errors
/// Where the process is gone.
pub fn cpu(pid: u32) -> io::Result<Duration> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end between the listing and the reading.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        sum += first_number(&text).ok_or_else(|| broken("schedstat"))?;
    }
    Ok(Duration::from_nanos(sum))
}

/// Resident memory in bytes.
///
/// # Errors
/// Where the process is gone.
pub fn resident(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kib = line.and_then(first_number).ok_or_else(|| broken("smaps_rollup"))?;
    Ok(kib * 1024)
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} is not as expected"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_its_own_work_and_memory() {
        let pid = std::process::id();
        let before = cpu(pid).unwrap();
        let mut sum = 0_u64;
        while cpu(pid).unwrap() < before + Duration::from_millis(20) {
            sum = (0..100_000).fold(sum, |sum, n| std::hint::black_box(sum ^ n));
        }
        let small = resident(pid).unwrap();
        let held = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert!(resident(pid).unwrap() >= small + (60 << 20), "{}", held.len());
    }
}
