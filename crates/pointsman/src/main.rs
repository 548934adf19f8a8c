//! An AI model router: one binary, self-hosted.

fn main() {}
