//! Each vendor's spelling, and sums that do not add up.

use super::*;

fn usage(text: &str) -> Option<Usage> {
    read(&mut Scanner::new(text.as_bytes()).unwrap()).unwrap()
}

#[test]
fn without_counts_there_is_no_usage() {
    for text in ["null", "{}", "[]", "7", "{\"queue_time\":0.1}", "{\"prompt_tokens\":null}"] {
        assert_eq!(usage(text), None, "{text}");
    }
}

#[test]
fn names_of_the_responses_api_and_of_anthropic() {
    let text = r#"{"input_tokens":10,"output_tokens":4,"input_tokens_details":{"cached_tokens":6},
        "output_tokens_details":{"reasoning_tokens":3},"cache_creation_input_tokens":2}"#;
    let usage = usage(text).unwrap();
    assert_eq!((usage.input, usage.cached_input, usage.cache_write), (10, 6, 2));
    assert_eq!((usage.output, usage.reasoning), (4, 3));
    assert_eq!(usage.source, UsageSource::Reported);
}

#[test]
fn a_zero_under_one_name_does_not_undo_another() {
    let text = r#"{"prompt_tokens":10,"completion_tokens":0,"prompt_cache_hit_tokens":8,
        "prompt_tokens_details":{"cached_tokens":0}}"#;
    assert_eq!(usage(text).unwrap().cached_input, 8);
}

#[test]
fn what_only_the_total_has_is_unseen_output() {
    let apart = r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":35,
        "completion_tokens_details":{"reasoning_tokens":20}}"#;
    let within = r#"{"prompt_tokens":10,"completion_tokens":25,"total_tokens":35,
        "completion_tokens_details":{"reasoning_tokens":20}}"#;
    assert_eq!(usage(apart), usage(within));
    assert_eq!(usage(apart).unwrap().output, 25);
    let too_small = r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":3}"#;
    assert_eq!(usage(too_small).unwrap().total(), 15);
}

#[test]
fn parts_never_exceed_their_whole() {
    let text = r#"{"prompt_tokens":10,"completion_tokens":5,"cache_write_tokens":9,
        "prompt_tokens_details":{"cached_tokens":8,"audio_tokens":99},
        "completion_tokens_details":{"reasoning_tokens":50,"audio_tokens":7}}"#;
    let found = usage(text).unwrap();
    assert_eq!((found.cached_input, found.cache_write, found.input_audio), (8, 2, 10));
    assert_eq!((found.reasoning, found.output_audio), (5, 5));
}

#[test]
fn a_count_that_is_none_makes_the_usage_unknown() {
    for nonsense in ["-5", "1.5", "\"7\"", "[]", "18446744073709551615", "1000000001"] {
        let text = format!(r#"{{"prompt_tokens":{nonsense},"completion_tokens":5}}"#);
        assert_eq!(usage(&text), None, "{nonsense}");
    }
    assert_eq!(usage(r#"{"prompt_tokens":null,"completion_tokens":5}"#).unwrap().output, 5);
}

#[test]
fn an_input_alone_takes_the_rest_of_the_total_as_output() {
    assert_eq!(usage(r#"{"total_tokens":8}"#).unwrap().input, 8);
    assert_eq!(usage(r#"{"prompt_tokens":8,"total_tokens":8}"#).unwrap().output, 0);
    assert_eq!(usage(r#"{"prompt_tokens":8,"total_tokens":9}"#).unwrap().output, 1);
    assert_eq!(usage(r#"{"completion_tokens":3,"total_tokens":9}"#).unwrap().input, 6);
}

#[test]
fn timings_stand_in_for_usage_and_add_the_cache() {
    let timings = |text: &str| read_timings(&mut Scanner::new(text.as_bytes()).unwrap()).unwrap();
    let found = timings(r#"{"prompt_n":3,"cache_n":7,"predicted_n":2,"predicted_ms":1.5}"#).unwrap();
    assert_eq!((found.input, found.cached_input, found.output), (10, 7, 2));
    assert_eq!(timings(r#"{"prompt_n":3}"#), None);
    assert_eq!(timings("[]"), None);
    let reported = usage(r#"{"prompt_tokens":10,"completion_tokens":2}"#);
    assert_eq!(merge(reported, Some(found)), Some(found));
    assert_eq!(merge(None, Some(found)), Some(found));
    assert_eq!(merge(reported, None), reported);
}
