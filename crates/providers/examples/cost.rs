//! What the catalogue's prices make of usages, for `scripts/compare_costs.py`: reads lines
//! `provider model service input cached written written_1h output reasoning audio_in audio_out image_in
//! image_out pictures heard_ms characters`, separated by tabs, and writes the cost in nano-dollars, or `-` where it is
//! not known.

use std::io::{self, BufRead, Write};

use pointsman_core::{Service, Usage, UsageDetail};
use pointsman_providers::catalogue;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let fields: Vec<&str> = line.split('\t').collect();
        let [provider, model, service, counts @ ..] = fields.as_slice() else { continue };
        let counts: Vec<u64> = counts.iter().filter_map(|count| count.parse().ok()).collect();
        let [input, cached_input, cache_write, cache_write_1h, output, reasoning, rest @ ..] = &counts[..]
        else {
            continue;
        };
        let [input_audio, output_audio, input_image, output_image, pictures, heard_ms, characters] = *rest
        else {
            continue;
        };
        let detail = UsageDetail {
            cache_write_1h: *cache_write_1h,
            input_image,
            output_image,
            pictures,
            heard_ms,
            characters,
            service: Service::from_tier(service),
            ..UsageDetail::default()
        };
        let usage = Usage {
            input: *input,
            cached_input: *cached_input,
            cache_write: *cache_write,
            output: *output,
            reasoning: *reasoning,
            input_audio,
            output_audio,
            detail,
            ..Usage::default()
        };
        let price = catalogue().find(provider, model).and_then(|entry| entry.price);
        let price = price.filter(|price| price.tells(&usage));
        match price {
            Some(price) => writeln!(out, "{}", price.cost(&usage).total().nanos())?,
            None => writeln!(out, "-")?,
        }
    }
    out.flush()
}
