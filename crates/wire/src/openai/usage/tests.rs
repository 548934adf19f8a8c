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
fn time_is_counted_where_it_is_told_instead_of_tokens() {
    let heard = |text: &str| usage(text).map(|usage| (usage.detail.heard_ms, usage.total()));
    for (seconds, millis) in
        [("9", 9_000), ("8.47", 8_470), ("\"8.4705\"", 8_471), ("0.0004999", 0), ("12.9999", 13_000)]
    {
        let told = (millis > 0).then_some((millis, 0));
        assert_eq!(heard(&format!(r#"{{"type":"duration","seconds":{seconds}}}"#)), told, "{seconds}");
    }
    for nonsense in ["-1", "1e3", "\"\"", "\"1.\"", "\"x\"", "null", "{}", "99999999999999999999", "2678401"]
    {
        assert_eq!(heard(&format!(r#"{{"seconds":{nonsense},"type":"duration"}}"#)), None, "{nonsense}");
    }
    assert_eq!(heard(r#"{"seconds":9}"#), None, "somebody's own word");
    assert_eq!(heard(r#"{"type":"tokens","seconds":9,"input_tokens":4}"#), Some((0, 4)));
}

#[test]
fn pictures_and_cached_sounds_are_parts() {
    let text = r#"{"input_tokens":50,"output_tokens":4200,"total_tokens":4250,
        "input_tokens_details":{"text_tokens":10,"image_tokens":40},
        "output_tokens_details":{"image_tokens":4160,"text_tokens":40}}"#;
    let found = usage(text).unwrap();
    assert_eq!((found.detail.input_image, found.detail.output_image), (40, 4160));
    let text = r#"{"prompt_tokens":5,"completion_tokens":7,"prompt_tokens_details":{"image_tokens":9,
        "cached_tokens":3,"cached_tokens_details":{"audio_tokens":8}},
        "completion_tokens_details":{"image_tokens":8}}"#;
    let detail = usage(text).unwrap().detail;
    assert_eq!((detail.input_image, detail.output_image, detail.cached_audio), (5, 7, 3));
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
