//! Every kind of price, as the list writes it, against nano-dollars that were computed by hand.

use pointsman_core::{Money, Usage, UsageDetail};

use super::*;

/// A usage of 1,000 tokens in and 100 out, changed.
fn usage(change: impl FnOnce(&mut Usage)) -> Usage {
    let mut usage = Usage { input: 1_000, output: 100, ..Usage::default() };
    change(&mut usage);
    usage
}

fn detail(change: impl FnOnce(&mut UsageDetail)) -> Usage {
    usage(|usage| change(&mut usage.detail))
}

fn nanos(prices: &str, usage: &Usage) -> i64 {
    parse(prices).unwrap_or_else(|| panic!("{prices}")).cost(usage).total().nanos()
}

/// A USD per million tokens is 1,000 nano-dollars a token.
#[test]
fn each_kind_of_token() {
    let cached = |count| usage(|usage| usage.cached_input = count);
    let written = |count, for_an_hour| {
        usage(|usage| {
            usage.cache_write = count;
            usage.detail.cache_write_1h = for_an_hour;
        })
    };
    for (kind, prices, usage, by_hand) in [
        // 1,000 × 3,000 + 100 × 15,000
        ("input and output", "i3 o15", usage(|_| {}), 4_500_000),
        // 600 × 3,000 + 400 × 300 + 100 × 15,000
        ("cached", "i3 o15 c.3", cached(400), 3_420_000),
        // 800 × 3,000 + 200 × 3,750 + 100 × 15,000
        ("written", "i3 o15 w3.75 h6", written(200, 0), 4_650_000),
        // 800 × 3,000 + 150 × 3,750 + 50 × 6,000 + 100 × 15,000
        ("written for an hour", "i3 o15 w3.75 h6", written(200, 50), 4_762_500),
        // 800 × 3,000 + 200 × 3,750 + 100 × 15,000: an hour costs what five minutes cost
        ("written for an hour, one price", "i3 o15 w3.75", written(200, 50), 4_650_000),
        // 1,000 × 1,000 + 40 × 2,000 + 60 × 5,000
        ("reasoning", "i1 o2 r5", usage(|usage| usage.reasoning = 60), 1_380_000),
        // 700 × 500 + 300 × 1,000 + 100 × 3,000
        ("audio heard", "i.5 o3 a1", usage(|usage| usage.input_audio = 300), 950_000),
        // 1,000 × 500 + 75 × 3,000 + 25 × 12,000
        ("audio spoken", "i.5 o3 b12", usage(|usage| usage.output_audio = 25), 1_025_000),
        // 600 × 500 + (400 − 100) × 50 + 100 × 200 + 100 × 3,000
        (
            "audio from the cache",
            "i.5 o3 c.05 e.2",
            usage(|usage| {
                usage.cached_input = 400;
                usage.detail.cached_audio = 100;
            }),
            635_000,
        ),
        // 750 × 5,000 + 250 × 10,000 + 100 × 40,000
        ("pictures seen", "i5 o40 m10", detail(|detail| detail.input_image = 250), 10_250_000),
        // 1,000 × 300 + 60 × 2,500 + 40 × 30,000
        ("pictures shown", "i.3 o2.5 n30", detail(|detail| detail.output_image = 40), 1_650_000),
        // 1,000 × 130
        ("embeddings", "i.13", usage(|usage| usage.output = 0), 130_000),
        // 1,000 × 0.000001 + 100 × 0.000001 nano-dollars = 0.0011: rounded once, to 0
        ("almost nothing", "i.000000001 o.000000001", usage(|_| {}), 0),
    ] {
        assert_eq!(nanos(prices, &usage), by_hand, "{kind}");
    }
}

#[test]
fn requests_and_pictures_by_the_piece() {
    // 1,000 × 1,000 + 100 × 1,000, and 5 USD for a thousand requests = 5,000,000 for one.
    assert_eq!(nanos("i1 o1 q5000", &usage(|_| {})), 6_100_000);
    // 3 × 0.04 USD, whatever was said.
    assert_eq!(nanos("p40000", &detail(|detail| detail.pictures = 3)), 120_000_000);
}

#[test]
fn longer_requests_cost_what_their_tier_says() {
    let prices = "i1.25 o10 c.125 >200000 i2.5 o15 c.25 >400000 i5";
    let long = |input| usage(|usage| (usage.input, usage.cached_input) = (input, 1_000));
    // 199,000 × 1,250 + 1,000 × 125 + 100 × 10,000: the threshold itself is short.
    assert_eq!(nanos(prices, &long(200_000)), 249_875_000);
    // 199,001 × 2,500 + 1,000 × 250 + 100 × 15,000
    assert_eq!(nanos(prices, &long(200_001)), 499_252_500);
    // 399,001 × 5,000 + 1,000 × 125 + 100 × 10,000: what a tier does not name costs what the base costs.
    assert_eq!(nanos(prices, &long(400_001)), 1_996_130_000);
}

#[test]
fn services_have_prices_and_tiers_of_their_own() {
    let prices = "i2 o8 c.5 >200000 i4 o12 @batch i1 o4 @flex i1.5 o6 c.3 @priority i3.5 o14 >200000 i7 o21";
    let served = |service, input| {
        usage(|usage| {
            (usage.input, usage.cached_input) = (input, 200);
            usage.detail.service = service;
        })
    };
    for (service, short, long) in [
        // 800 × 2,000 + 200 × 500 + 100 × 8,000; 299,800 × 4,000 + 200 × 500 + 100 × 12,000
        (Service::Standard, 2_500_000, 1_200_500_000),
        // 800 × 1,000 + 200 × 500 + 100 × 4,000; 299,800 × 1,000 + 200 × 500 + 100 × 4,000
        (Service::Batch, 1_300_000, 300_300_000),
        // 800 × 1,500 + 200 × 300 + 100 × 6,000; 299,800 × 1,500 + 200 × 300 + 100 × 6,000
        (Service::Flex, 1_860_000, 450_360_000),
        // 800 × 3,500 + 200 × 500 + 100 × 14,000; 299,800 × 7,000 + 200 × 500 + 100 × 21,000
        (Service::Priority, 4_300_000, 2_100_800_000),
    ] {
        assert_eq!(nanos(prices, &served(service, 1_000)), short, "{service:?}");
        assert_eq!(nanos(prices, &served(service, 300_000)), long, "{service:?}");
    }
    // A service without prices of its own costs the usual.
    assert_eq!(nanos("i2 o8", &served(Service::Priority, 1_000)), 2_800_000);
}

#[test]
fn the_kinds_add_up_to_the_total() {
    let list = parse("i3 o15 c.3 w3.75 h6 r20 a4 b30 q1000").unwrap();
    let all = usage(|usage| {
        (usage.cached_input, usage.cache_write, usage.reasoning) = (100, 200, 30);
        (usage.input_audio, usage.output_audio) = (50, 20);
        usage.detail.cache_write_1h = 80;
    });
    let cost = list.cost(&all);
    // 1,000 − 100 − 200 − 50 = 650; 100 − 30 − 20 = 50
    assert_eq!((cost.input, cost.output), (Money(1_950_000), Money(750_000)));
    // 100 × 300; 120 × 3,750 + 80 × 6,000
    assert_eq!((cost.cached_input, cost.cache_write), (Money(30_000), Money(930_000)));
    // 30 × 20,000; 50 × 4,000 + 20 × 30,000 + 1,000,000
    assert_eq!((cost.reasoning, cost.other), (Money(600_000), Money(1_800_000)));
    assert_eq!(cost.total(), Money(6_060_000));
}

#[test]
fn what_is_no_price_is_no_list() {
    for text in ["", "i", "ix", "i1  o2", "i1 @slow i2", "i1 >many i2", "i-1"] {
        assert_eq!(parse(text), None, "{text:?}");
    }
    // Kinds of later lists are passed over.
    assert_eq!(parse("i1 o2 ?7"), parse("i1 o2"));
}
