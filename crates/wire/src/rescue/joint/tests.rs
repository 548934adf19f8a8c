//! Continuations of every kind, cut anywhere.

use proptest::prelude::*;

use super::*;

const PREFILL: Manner = Manner::Prefill { trimmed: false };
const TRIMMED: Manner = Manner::Prefill { trimmed: true };

/// What the joint lets through of these pieces.
fn joined(shown: &str, manner: Manner, pieces: &[&str]) -> String {
    let mut joint = Joint::new(shown, manner);
    let mut out = String::new();
    pieces.iter().for_each(|piece| joint.push(piece, &mut out));
    joint.finish(&mut out);
    out
}

/// After each piece, how much was let through.
fn progress(shown: &str, pieces: &[&str]) -> Vec<usize> {
    let mut joint = Joint::new(shown, Manner::Instructed);
    let mut out = String::new();
    let mut lengths = Vec::new();
    for piece in pieces {
        joint.push(piece, &mut out);
        lengths.push(out.len());
    }
    lengths
}

#[test]
fn a_mere_continuation_is_left_alone() {
    let shown = "The quick brown fox";
    for rest in [" jumps", "es jump", "\n\nThe end", ", and", "", "  ", ": so it was", "The quick", "brown"] {
        for manner in [PREFILL, TRIMMED, Manner::Instructed] {
            assert_eq!(joined(shown, manner, &[rest]), rest, "{rest:?}");
        }
    }
}

#[test]
fn words_that_are_said_again_are_said_once() {
    let shown = "It was late. The quick brown fox";
    for repeated in ["brown fox", "quick brown fox", "The quick brown fox", shown, "\n\nquick  brown\nfox"] {
        for rest in [" jumps", "es\n", "", "\n\n- and"] {
            let said = format!("{repeated}{rest}");
            assert_eq!(joined(shown, PREFILL, &[&said]), rest, "{said:?}");
        }
    }
    assert_eq!(joined(shown, PREFILL, &["own fox jumps"]), "own fox jumps", "seven characters say nothing");
    assert_eq!(joined(shown, PREFILL, &["own", " f", "ox", " jumps"]), "own fox jumps");
    assert_eq!(joined(shown, PREFILL, &["rown fox jumps"]), " jumps", "eight do");
    assert_eq!(
        joined("the black lantern", PREFILL, &[" lantern went out"]),
        " went out",
        "a space is a character"
    );
    assert_eq!(joined("the blacklantern", PREFILL, &[" lantern went out"]), " lantern went out");
    assert_eq!(joined(shown, PREFILL, &["brown fax jumps"]), "brown fax jumps", "almost is not the same");
    assert_eq!(joined(shown, PREFILL, &["brownfox jumps"]), "brownfox jumps", "whitespace is not nothing");
}

#[test]
fn the_longest_repetition_counts() {
    let shown = "la la la, and la la la";
    assert_eq!(joined(shown, PREFILL, &["la la la, and la la la, until"]), ", until");
    assert_eq!(joined(shown, PREFILL, &["la la la, until"]), ", until");
}

#[test]
fn whitespace_at_the_joint_stays_whole() {
    let shown = "The quick brown fox\n";
    assert_eq!(joined(shown, PREFILL, &["brown fox\n\nNext"]), "\nNext");
    assert_eq!(joined(shown, PREFILL, &["brown fox", "\n", "Next"]), "Next");
    assert_eq!(joined(shown, PREFILL, &["brown fox Next"]), "Next", "the text's own whitespace counts");
    assert_eq!(joined(shown, PREFILL, &["brown foxNext"]), "Next");
    assert_eq!(joined(shown, PREFILL, &["\nNext"]), "\nNext", "nothing was repeated");
    // The request ended before the line break, so that it is written again.
    assert_eq!(joined(shown, TRIMMED, &["\nNext"]), "Next");
    assert_eq!(joined(shown, TRIMMED, &["\n", "\nNext"]), "\nNext");
    assert_eq!(joined(shown, TRIMMED, &["Next"]), "Next");
    assert_eq!(joined(" \n", TRIMMED, &[" \nNext"]), "Next");
}

#[test]
fn an_answer_that_begins_anew_goes_on_where_it_broke_off() {
    let long: String = (0..2_000).map(|number| format!("word {number}, ")).collect();
    for shown in ["Hello there, my friend", long.as_str(), "One line\nand another"] {
        let rest = " and so on";
        let said = format!("{shown}{rest}");
        for manner in [PREFILL, Manner::Instructed] {
            assert_eq!(joined(shown.trim_end(), manner, &[&said]), said[shown.trim_end().len()..]);
        }
        let changed = said.replace(' ', "  \n");
        let expected = rest.replace(' ', "  \n");
        assert!(joined(shown.trim_end(), PREFILL, &[&changed]).ends_with(expected.trim_start()));
    }
    // Too short to be sure, unless a whole new answer is likely.
    assert_eq!(joined("Hello", PREFILL, &["Hello there"]), "Hello there");
    assert_eq!(joined("Hello", Manner::Instructed, &["Hello there"]), " there");
    assert_eq!(joined("Hello", Manner::Instructed, &["Help is there"]), "Help is there");
}

#[test]
fn first_lines_that_are_said_again_are_dropped() {
    let shown = "Here are three facts:\n\n1. Water is wet.\n2. Fire is";
    assert_eq!(joined(shown, Manner::Instructed, &["Here are three facts:\n\n hot."]), " hot.");
    assert_eq!(joined(shown, Manner::Instructed, &["Here are three facts: hot."]), " hot.");
    assert_eq!(
        joined(shown, Manner::Instructed, &["Here are three facts:", "\n\n", "2. Fire is hot."]),
        " hot."
    );
    assert_eq!(
        joined(shown, Manner::Instructed, &["Here are three facts:\n\n1. Water is wet.\n2. Ice is cold."]),
        "2. Ice is cold."
    );
    assert_eq!(joined(shown, Manner::Instructed, &["Here are more:\n\n hot."]), "Here are more:\n\n hot.");
}

#[test]
fn openers_are_dropped() {
    let shown = "Once upon a time there was a king";
    for opener in [
        "Sure, continuing:",
        "Certainly! Here is the continuation of the story:",
        "Of course, I'll continue:\n\n",
    ] {
        for (repeated, rest) in [("", " who"), ("there was a king", " who"), (shown, ", who"), ("", "s")] {
            let space = if opener.ends_with('\n') { "" } else { " " };
            let said = format!("{opener}{space}{repeated}{rest}");
            assert_eq!(joined(shown, Manner::Instructed, &[&said]), rest, "{said}");
        }
    }
    // What the answer itself begins with is no opener.
    let shown = "Sure, continuing the list: one, two";
    assert_eq!(joined(shown, Manner::Instructed, &["Sure, continuing the list: one, two, three"]), ", three");
    assert_eq!(joined("x", PREFILL, &["Sure, continuing"]), "Sure, continuing", "it never came to its end");
}

#[test]
fn only_what_may_be_a_repetition_is_held() {
    let shown = "The quick brown fox";
    assert_eq!(progress(shown, &[" jumps", " over"]), [6, 11], "a j is nowhere");
    assert_eq!(progress(shown, &[" quiet", "ly"]), [6, 8], "the fourth letter decides");
    assert_eq!(progress(shown, &[" qui", "ck br", "own f", "ox", " j", "x"]), [0, 0, 0, 0, 2, 3]);
    assert_eq!(progress(shown, &["\n", "\n", "\nx"]), [0, 0, 4], "whitespace alone says nothing");
    let blank = "\n".repeat(5_000);
    assert_eq!(progress(shown, &[&blank]), [5_000], "and is not waited for without end");
}

#[test]
fn what_was_dropped_is_counted() {
    let mut joint = Joint::new("The quick brown fox", PREFILL);
    let mut out = String::new();
    for piece in ["quick", " brown", " fox", " jumps"] {
        joint.push(piece, &mut out);
    }
    joint.finish(&mut out);
    assert_eq!(out, " jumps");
    assert_eq!(joint.dropped(), Dropped { chars: 15, pieces: 3 });
    assert!(joint.is_joined());
}

/// A text whose words are all different, so that no passage is said twice unless it is repeated.
fn text() -> impl Strategy<Value = Vec<String>> {
    let space = prop::sample::select(vec![" ", " ", " ", "\n", "\n\n", "  ", ", ", ": ", "\n- ", ""]);
    let word = prop::sample::select(vec![
        "ox",
        "Zürich",
        "日本",
        "🙂",
        "cafe\u{301}",
        "\"q\"",
        "it's",
        "Sure",
        "Here is",
    ]);
    let pieces = prop::collection::vec((space, word), 4..60);
    pieces.prop_map(|pieces| {
        pieces.into_iter().enumerate().map(|(at, (space, word))| format!("{space}{word}#{at}")).collect()
    })
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Plain,
    Repeats(usize),
    Whitespace(usize),
    Restarts,
    Opens,
    OpensAndRepeats(usize),
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Plain),
        (8usize..300).prop_map(Kind::Repeats),
        (8usize..300).prop_map(Kind::Whitespace),
        Just(Kind::Restarts),
        Just(Kind::Opens),
        (8usize..300).prop_map(Kind::OpensAndRepeats),
    ]
}

/// The last characters: at least eight that count, the first of which is no whitespace.
fn last(shown: &str, chars: usize) -> &str {
    let trailing = shown.chars().count() - shown.trim_end().chars().count();
    let mut from = shown.chars().count().saturating_sub(chars.max(trailing + 8));
    while from > 0 && shown.chars().nth(from).is_none_or(char::is_whitespace) {
        from -= 1;
    }
    let at = shown.char_indices().nth(from).map_or(shown.len(), |(at, _)| at);
    &shown[at..]
}

/// Whitespace before a word is another one.
fn other_whitespace(text: &str) -> String {
    let mut out = String::new();
    let mut blank = false;
    for next in text.chars() {
        if next.is_whitespace() && !blank {
            out.push_str("\n \n");
        } else if !next.is_whitespace() {
            out.push(next);
        }
        blank = next.is_whitespace();
    }
    out
}

fn continuation(kind: Kind, shown: &str, rest: &str) -> String {
    match kind {
        Kind::Plain => rest.to_owned(),
        Kind::Repeats(chars) => format!("{}{rest}", last(shown, chars)),
        Kind::Whitespace(chars) => format!("\n{}{rest}", other_whitespace(last(shown, chars).trim())),
        Kind::Restarts => format!("{shown}{rest}"),
        Kind::Opens => format!("Sure, continuing: {rest}"),
        Kind::OpensAndRepeats(chars) => format!("Sure, continuing:\n\n{}{rest}", last(shown, chars)),
    }
}

proptest! {
    #[test]
    fn every_kind_of_continuation_gives_the_uncut_text(
        words in text(), at in 0usize..10_000, kind in kind(), cuts in prop::collection::vec(0usize..10_000, 0..12),
        instructed: bool,
    ) {
        let whole = words.concat();
        // Cut anywhere behind the first sixteen characters, in the middle of words too.
        let places: Vec<usize> = whole.char_indices().map(|(at, _)| at).skip(16).collect();
        prop_assume!(!places.is_empty());
        let (shown, rest) = whole.split_at(places[at % places.len()]);
        prop_assume!(shown.trim().chars().count() >= 12);
        // Where whitespace is changed, the text's own end has none: it could not be told from the rest's.
        prop_assume!(!matches!(kind, Kind::Whitespace(_)) || !shown.ends_with(char::is_whitespace));
        let said = continuation(kind, shown, rest);
        let manner = if instructed { Manner::Instructed } else { PREFILL };
        let mut bounds: Vec<usize> = said.char_indices().map(|(at, _)| at).collect();
        bounds.push(said.len());
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| bounds[cut % bounds.len()]).collect();
        cuts.extend([0, said.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&str> = cuts.windows(2).map(|pair| &said[pair[0]..pair[1]]).collect();
        prop_assert_eq!(joined(shown, manner, &pieces), rest, "{:?} of {:?} behind {:?}", kind, said, shown);
    }

    #[test]
    fn nothing_is_invented_and_nothing_lost_but_a_beginning(shown in ".{0,80}", said in ".{0,120}", cut in 0usize..200) {
        let bounds: Vec<usize> = said.char_indices().map(|(at, _)| at).chain([said.len()]).collect();
        let (first, second) = said.split_at(bounds[cut % bounds.len()]);
        for manner in [PREFILL, TRIMMED, Manner::Instructed] {
            let out = joined(&shown, manner, &[first, second]);
            prop_assert!(said.ends_with(&out), "{:?} of {:?}", out, said);
            prop_assert_eq!(&out, &joined(&shown, manner, &[&said]), "however it is cut");
        }
    }
}
