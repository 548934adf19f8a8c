//! `pointsman-bench-convert FROM TO FILE`: see [`pointsman_bench::convert`]. The allocator is the product's,
//! and counts.

use std::io::{self, Write};
use std::process::ExitCode;

use cap::Cap;
use pointsman_bench::convert;
use pointsman_core::Dialect;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Cap<Jemalloc> = Cap::new(Jemalloc, usize::MAX);

fn main() -> ExitCode {
    match run() {
        Ok(line) => {
            let _ = io::stdout().write_all(line.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<String> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, file] = words.as_slice() else {
        return Err(io::Error::other("usage: pointsman-bench-convert FROM TO FILE"));
    };
    let dialect = |word: &String| {
        Dialect::from_word(word).ok_or_else(|| io::Error::other(format!("`{word}` is no dialect")))
    };
    let (from, to, prompt) = (dialect(from)?, dialect(to)?, std::fs::read(file)?);
    let measured = convert::measure(from, to, &prompt, || ALLOCATOR.max_allocated())?;
    Ok(measured.to_line())
}
