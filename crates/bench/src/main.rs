//! `pointsman-bench`: the allocator of the product, and the command line of [`pointsman_bench::cli`].

use std::process::ExitCode;

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    pointsman_bench::cli::main()
}
