//! Each fault is what its row says, in each dialect; good answers are good to a strict reader.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use pointsman_core::{Clock, Dialect};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::*;
use crate::mock::{Cut, Ending};
use crate::net::MemoryNet;
use crate::openai::Tokens;

const NAME: &str = "faulty:80";
const DIALECTS: [Dialect; 3] = [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic];
const LIMIT: Duration = Duration::from_secs(20);

struct World {
    injector: Injector,
    net: MemoryNet,
    _server: FaultServer,
}

/// What a client saw, and how long it waited for its end.
struct Seen {
    status: u16,
    headers: http::HeaderMap,
    said: Said,
}

impl World {
    fn new() -> Self {
        let net = MemoryNet::new();
        let injector = Injector::new("p", Clock::starting_at(Duration::from_secs(1_790_000_000)));
        injector.limit(LIMIT);
        let server = injector.serve_memory(&net, NAME);
        Self { injector, net, _server: server }
    }

    /// Asks and reads all that comes within half the limit; `None`: no head.
    async fn ask(&self, question: &Question) -> Option<Seen> {
        self.send(question, &question.body()).await
    }

    async fn send(&self, question: &Question, body: &Value) -> Option<Seen> {
        let io = self.net.connect(NAME).await.ok()?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await.unwrap();
        let connection = tokio::spawn(async move { drop(connection.await) });
        let request = http::Request::post(question.path())
            .header("host", "faulty")
            .header("authorization", "Bearer key-1")
            .body(Full::new(Bytes::from(body.to_string())))
            .unwrap();
        let end = Instant::now() + LIMIT / 2;
        let response = tokio::time::timeout_at(end, sender.send_request(request)).await.ok()?.ok();
        let seen = match response {
            None => None,
            Some(response) => {
                let (head, mut body) = response.into_parts();
                let (mut bytes, mut reader, mut broken) = (Vec::new(), Reader::new(question.dialect), false);
                while !broken {
                    match tokio::time::timeout_at(end, body.frame()).await {
                        Ok(Some(Ok(frame))) => {
                            let data = frame.into_data().unwrap();
                            reader.push(&data);
                            bytes.extend_from_slice(&data);
                        }
                        Ok(None) => break,
                        Ok(Some(Err(_))) | Err(_) => broken = true,
                    }
                }
                let said = if question.streamed && head.status == 200 {
                    reader.finish(broken)
                } else {
                    Said::plain(question.dialect, &bytes)
                };
                Some(Seen { status: head.status.as_u16(), headers: head.headers, said })
            }
        };
        connection.abort();
        seen
    }
}

fn questions() -> Vec<Question> {
    let both = DIALECTS.iter().flat_map(|&dialect| [false, true].map(|streamed| (dialect, streamed)));
    both.map(|(dialect, streamed)| Question::new(dialect, "m", streamed, 11, 25)).collect()
}

#[tokio::test(start_paused = true)]
async fn good_answers_are_good_in_every_dialect_and_kind() {
    for question in questions() {
        for kind in [Kind::Text, Kind::Json, Kind::Tool] {
            let world = World::new();
            let question = question.clone().of(kind);
            let Seen { status, said, .. } = world.ask(&question).await.unwrap();
            assert!(status == 200 && said.is_whole(), "{question:?}: {said:?}");
            let same = match kind {
                // Anthropic's arguments are an object, however it is written.
                Kind::Tool => {
                    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
                    parse(&said.text) == parse(question.oracle().text())
                }
                _ => said.text == question.expected(),
            };
            assert!(same, "{question:?}: {said:?}");
            assert_eq!(said.call.is_some(), kind == Kind::Tool);
            let attempt = world.injector.wait_ended(1).await.remove(0);
            assert!(attempt.is_good() && attempt.key == "key-1", "{attempt:?}");
            assert_eq!(said.usage, Some(attempt.tokens));
            assert_eq!(attempt.tokens.output, question.oracle().tokens() as u64);
            assert_eq!(attempt.tokens.input, (question.body().to_string().len() as u64).div_ceil(4));
            assert_eq!(said.ids, [said.ids[0].clone()]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_fault_is_what_its_row_says() {
    for question in questions() {
        for fault in FAULTS.iter().filter(|fault| fault.fits(question.streamed)) {
            let world = World::new();
            world.injector.script([Some(fault)]);
            if matches!(fault.what, What::Refuse) {
                world.injector.listen(false);
                tokio::task::yield_now().await;
            }
            let seen = world.ask(&question).await;
            let whole = seen.as_ref().is_some_and(|seen| seen.status == 200 && seen.said.is_whole());
            let name = format!("{} of {:?}, streamed: {}", fault.name, question.dialect, question.streamed);
            let harmless = matches!(fault.name, "slow_drip" | "flood");
            let sentinel = fault.name == "no_sentinel" && question.dialect == Dialect::OpenAiResponses;
            // A strict reader minds broken events; whoever skips them has it all.
            assert_eq!(whole, harmless || sentinel, "{name}: {:?}", seen.map(|seen| seen.said));
            let shown = seen.as_ref().map_or("", |seen| seen.said.text.as_str());
            match fault.effect {
                Effect::Rescue => assert!(!shown.is_empty(), "{name}"),
                Effect::Harmless => assert_eq!(shown, question.expected(), "{name}"),
                Effect::Fallback | Effect::Told => {
                    assert!(!question.streamed || shown.is_empty(), "{name}: {shown}");
                }
            }
            check_status(fault, seen.as_ref(), &name);
            let attempts = world.injector.wait_idle().await;
            assert_eq!(attempts.len(), usize::from(!matches!(fault.what, What::Refuse)), "{name}");
            if let Some(attempt) = attempts.first() {
                check_account(fault, attempt, seen.as_ref(), &name);
            }
        }
    }
}

fn check_status(fault: &Fault, seen: Option<&Seen>, name: &str) {
    let What::Status { status, words, wait } = fault.what else { return };
    let seen = seen.unwrap();
    assert!(seen.status == status || words == Words::Quota && seen.status == 400, "{name}");
    assert!(words == Words::Page || seen.said.is_error(), "{name}: {:?}", seen.said);
    let has = |header: &str| seen.headers.contains_key(header);
    let waits = has("retry-after");
    assert_eq!(waits, matches!(wait, Wait::Seconds(_) | Wait::Date(_)), "{name}");
    let window = has("x-ratelimit-reset-requests") || has("anthropic-ratelimit-requests-reset");
    assert_eq!(window, matches!(wait, Wait::Headers(_)), "{name}");
    if fault.name == "rate_limit_date" {
        assert_eq!(seen.headers["retry-after"], "Mon, 21 Sep 2026 14:13:21 GMT");
    }
}

/// The log says what was sent, and no more.
fn check_account(fault: &Fault, attempt: &Attempt, seen: Option<&Seen>, name: &str) {
    assert_eq!(attempt.what(), fault.name);
    assert_eq!(attempt.tokens.input > 0, fault.works(), "{name}");
    let deltas = seen.map_or(0, |seen| seen.said.deltas) as u64;
    if attempt.streamed {
        assert_eq!(attempt.tokens.output, deltas, "{name}");
    } else {
        assert_eq!(attempt.tokens.output, 0, "{name}: {attempt:?}");
    }
    let (ending, _) = attempt.ended.unwrap();
    match fault.what {
        _ if fault.hangs() => assert_eq!(ending, Ending::ClientGone, "{name}"),
        What::Cut { how: Cut::Close | Cut::Reset, .. } => assert_eq!(ending, Ending::Cut, "{name}"),
        _ => {}
    }
}

/// The same question with the answer's begin, to be gone on with.
fn continued(question: &Question, said: &str, prefill: bool) -> Value {
    let mut body = question.body();
    let member = if question.dialect == Dialect::OpenAiResponses { "input" } else { "messages" };
    let turns = body[member].as_array_mut().unwrap();
    turns.push(json!({"role": "assistant", "content": said}));
    if !prefill {
        turns.push(json!({"role": "user", "content": "Go on from where you stopped."}));
    }
    body
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_gone_on_with_from_where_it_stands() {
    for question in questions() {
        let begin = question.oracle().first(10).to_owned();
        for prefill in [false, true] {
            if prefill && question.dialect == Dialect::OpenAiResponses {
                continue;
            }
            for way in Continuing::ALL {
                let world = World::new();
                world.injector.continues(way);
                let seen = world.send(&question, &continued(&question, &begin, prefill)).await.unwrap();
                assert!(seen.said.is_whole(), "{way:?}: {:?}", seen.said);
                let whole = question.expected();
                assert!(seen.said.text.ends_with(&whole[begin.len()..]), "{way:?}: {:?}", seen.said);
                let attempt = world.injector.wait_ended(1).await.remove(0);
                assert_eq!((attempt.continues, attempt.prefill), (Some(begin.len()), prefill));
                assert_eq!(attempt.what(), "continued");
                assert!(attempt.tokens.output >= 15);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_not_said_is_no_begin() {
    let question = Question::new(Dialect::OpenAiChat, "m", true, 11, 25);
    let cases = [
        (continued(&question, "something else", true), "not what was said"),
        (continued(&question, "", true), "empty"),
        (json!({"model": "m", "messages": []}), "messages is []"),
        (json!({"messages": [{"role": "user", "content": "x"}]}), "no model"),
    ];
    for (body, why) in cases {
        let world = World::new();
        let seen = world.send(&question, &body).await.unwrap();
        let (_, message) = seen.said.error.unwrap();
        assert!(seen.status == 400 && message.contains(why), "{message}");
        let attempt = world.injector.wait_ended(1).await.remove(0);
        assert!(attempt.refused.is_some() && attempt.tokens == Tokens::default(), "{attempt:?}");
    }
    let world = World::new();
    world.injector.refuses_prefill();
    let seen = world.send(&question, &continued(&question, question.oracle().first(3), true)).await.unwrap();
    assert!(seen.status == 400 && seen.said.error.unwrap().1.contains("prefill"));
    let anthropic = Question { dialect: Dialect::Anthropic, ..question };
    let begin = anthropic.oracle().text().split_inclusive(' ').next().unwrap().to_owned();
    let seen = World::new().send(&anthropic, &continued(&anthropic, &begin, true)).await.unwrap();
    assert!(seen.said.error.unwrap().1.contains("trailing whitespace"));
}

#[tokio::test(start_paused = true)]
async fn limits_and_stops_are_kept() {
    for question in questions() {
        let limited = Question { max_tokens: Some(7), ..question.clone() };
        let seen = World::new().ask(&limited).await.unwrap();
        assert_eq!(seen.said.text, limited.expected());
        let finish = seen.said.finish.unwrap();
        assert!(["length", "incomplete", "max_tokens"].contains(&finish.as_str()), "{finish}");
        if question.dialect != Dialect::OpenAiResponses {
            let stopped = Question { stop: Some("#9".into()), ..question };
            let seen = World::new().ask(&stopped).await.unwrap();
            assert_eq!(seen.said.text, stopped.expected());
            assert!(!seen.said.text.contains("#9") && seen.said.is_whole());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn characters_come_in_halves_and_are_cut_between_them() {
    let mut alone = 0;
    for seed in 0..20 {
        for dialect in DIALECTS {
            let world = World::new();
            world.injector.splits_characters().script([None, Fault::named("reset_in_text")]);
            let question = Question::new(dialect, "m", true, seed, 40);
            let whole = world.ask(&question).await.unwrap().said;
            assert!(whole.is_whole(), "{whole:?}");
            assert_eq!(whole.text, question.expected());
            let cut = world.ask(&question).await.unwrap().said;
            assert!(question.expected().starts_with(&cut.text) && !cut.is_whole(), "{cut:?}");
            alone += usize::from(cut.breaches.iter().any(|breach| breach.contains("halves of")));
            let attempts = world.injector.wait_idle().await;
            assert_eq!(attempts[1].tokens.output, cut.deltas as u64);
        }
    }
    assert!(alone > 20, "only {alone} of 60 were cut inside a character");
}

#[tokio::test(start_paused = true)]
async fn keys_are_refused_one_by_one_and_scripts_come_before_the_rest() {
    let world = World::new();
    let fault = Fault::named("server_error").unwrap();
    world.injector.script([None]).always(fault);
    let question = Question::new(Dialect::OpenAiChat, "m", false, 1, 3);
    let mut statuses = Vec::new();
    for step in 0..4 {
        if step == 2 {
            world.injector.recover();
        } else if step == 3 {
            world.injector.refuses_key("key-1");
        }
        statuses.push(world.ask(&question).await.unwrap().status);
    }
    assert_eq!(statuses, [200, 500, 200, 401]);
    let attempts = world.injector.wait_idle().await;
    assert_eq!(emitted(&attempts).output, 6);
    assert_eq!(most_at_once(&attempts), 1);
    let seeds: BTreeSet<u64> = attempts.iter().map(|attempt| attempt.seed).collect();
    assert_eq!(seeds.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_ceiling_is_told_before_it_is_reached() {
    let world = World::new();
    world.injector.ceiling(2, Duration::from_secs(60));
    let question = Question::new(Dialect::OpenAiChat, "m", false, 1, 3);
    let mut seen = Vec::new();
    for pause in [0, 10, 10, 40] {
        tokio::time::advance(Duration::from_secs(pause)).await;
        let Seen { status, headers, .. } = world.ask(&question).await.unwrap();
        let told = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        seen.push((status, told("x-ratelimit-remaining-requests"), told("x-ratelimit-reset-requests")));
    }
    let told = |status, left: &str, reset: &str| (status, Some(left.to_owned()), Some(reset.to_owned()));
    let expected = [
        told(200, "1", "30000ms"),
        told(200, "0", "50000ms"),
        told(429, "0", "1s"),
        told(200, "0", "30000ms"),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn over_sockets_it_comes_and_goes_at_one_address() {
    let injector = Injector::new("p", Clock::system());
    let server = injector.serve_tcp().await.unwrap();
    assert_eq!(server.base_url(), format!("http://{}/v1", server.authority));
    let connect = || tokio::net::TcpStream::connect(server.authority.clone());
    let idle = connect().await.unwrap();
    for up in [false, true, false] {
        injector.listen(up);
        let deadline = Duration::from_secs(20);
        timeout(deadline, async {
            while connect().await.is_ok() != up {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    }
    let mut byte = [0];
    idle.readable().await.unwrap();
    assert!(matches!(idle.try_read(&mut byte), Ok(0) | Err(_)), "closed as well");
}
