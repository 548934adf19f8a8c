//! The rows of one request each: all of them in one configuration, a few at a time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use pointsman_core::RequestRecord;
use pointsman_core::store::{RecordFilter, RecordReader};
use pointsman_store::SqliteReader;
use pointsman_testkit::chaos::{self, Evidence, Place, Row};
use pointsman_testkit::faults::{FaultServer, Injector};
use pointsman_testkit::process::free_port;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::client::{Answer, Client};
use super::stage::{gateway, providers};
use super::{Line, Options};
use crate::machine::Cores;

/// Rows at a time: their times are to be their own.
const AT_ONCE: usize = 4;
/// What a busy machine may add to a row's own time.
const SLACK: Duration = Duration::from_millis(600);
/// How long a provider may take to notice that its client has gone.
const REST: Duration = Duration::from_secs(5);

/// A row with its providers.
struct Cast {
    row: Row,
    injectors: Vec<Injector>,
    urls: Vec<String>,
    _listeners: Vec<FaultServer>,
}

impl Cast {
    async fn new(row: Row) -> io::Result<Self> {
        let (injectors, listeners) = providers(row.providers.len()).await?;
        let mut urls = Vec::new();
        for ((provider, injector), listener) in row.providers.iter().zip(&injectors).zip(&listeners) {
            provider.prepare(injector);
            urls.push(match provider.place {
                Place::Served => listener.base_url(),
                Place::Nobody => format!("http://127.0.0.1:{}/v1", free_port()?),
                Place::Unknown => "http://nobody.invalid/v1".to_owned(),
                Place::Tls => format!("https://{}/v1", listener.authority),
            });
        }
        Ok(Self { row, injectors, urls, _listeners: listeners })
    }
}

/// Runs the rows for a seed.
///
/// # Errors
/// Where the gateway cannot be started or leaves no records.
pub(super) async fn run(options: &Options, cores: Cores, seed: u64) -> io::Result<Vec<Line>> {
    let mut cast = Vec::new();
    let (mut providers, mut routes) = ("providers:\n".to_owned(), "routes:\n".to_owned());
    for (number, row) in chaos::all(seed).into_iter().filter(|row| options.wants(&row.name)).enumerate() {
        let row = Cast::new(row).await?;
        providers += &row.row.providers_yaml(number, &row.urls);
        routes += &row.row.route_yaml(number);
        cast.push(row);
    }
    if cast.is_empty() {
        return Ok(Vec::new());
    }
    let server = gateway(&options.pointsman, providers + &routes, cores)?;
    let answers = ask_all(&cast, &Arc::new(Client::new(server.address))).await?;
    for injector in cast.iter().flat_map(|cast| &cast.injectors) {
        // What is still at work then is a finding of the row's.
        let _ = tokio::time::timeout(REST, injector.wait_idle()).await;
    }
    let remains = server.stop()?;
    let path = remains.database()?.ok_or_else(|| io::Error::other("no record file"))?;
    let mut reader = SqliteReader::open(path).map_err(io::Error::other)?;
    let mut lines = Vec::new();
    for ((number, cast), answer) in cast.iter().enumerate().zip(answers) {
        lines.push(judge(number, cast, answer, &mut reader)?);
    }
    Ok(lines)
}

async fn ask_all(cast: &[Cast], client: &Arc<Client>) -> io::Result<Vec<io::Result<Answer>>> {
    let (places, mut asking) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for (number, cast) in cast.iter().enumerate() {
        let question = cast.row.question(number);
        let (client, places) = (Arc::clone(client), Arc::clone(&places));
        asking.spawn(async move {
            // Nobody closes it.
            let _place = places.acquire().await;
            (number, client.ask(&question).await)
        });
    }
    let mut answers: Vec<_> = asking.join_all().await;
    answers.sort_by_key(|(number, _)| *number);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

fn judge(
    number: usize,
    cast: &Cast,
    answer: io::Result<Answer>,
    reader: &mut SqliteReader,
) -> io::Result<Line> {
    let (name, figures) = (cast.row.name.clone(), String::new());
    let failed = |why: String| Line { name: name.clone(), verdict: [Some(why), None, None, None], figures };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Ok(failed(format!("no answer: {error}"))),
    };
    let Some(record) = record(reader, number)? else {
        return Ok(failed("no record".to_owned()));
    };
    let evidence = Evidence {
        status: answer.status,
        said: answer.said,
        elapsed: answer.elapsed,
        logs: cast.injectors.iter().map(Injector::attempts).collect(),
        record,
    };
    let verdict = cast.row.judge(number, &evidence, SLACK);
    let figures = format!("{:.0} ms", evidence.elapsed.as_secs_f64() * 1e3);
    Ok(Line { name, verdict, figures })
}

/// The one record of the row's route.
fn record(reader: &mut SqliteReader, number: usize) -> io::Result<Option<RequestRecord>> {
    let filter = RecordFilter { route: Some(Row::route(number)), limit: 2, ..RecordFilter::default() };
    let found = reader.list(&filter).map_err(io::Error::other)?;
    match found.as_slice() {
        [one] => reader.get(one.id).map_err(io::Error::other),
        _ => Ok(None),
    }
}
