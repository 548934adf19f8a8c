//! `pointsman-bench`: the allocator of the product, and the command line of [`pointsman_bench::cli`].

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    pointsman_bench::cli::main()
}
