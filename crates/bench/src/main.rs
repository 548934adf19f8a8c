//! Load generator, mock upstream, floor proxy and reports.

fn main() {}
