//! Routes whose answers are read to their end: attempts run in a task that outlives their client, so
//! that what the provider bills is what the record says. [`crate::stream`] does the same once a stream
//! is under way.

use http::Response;
use pointsman_core::{ErrorCode, PublicError};
use tokio::sync::oneshot;

use crate::body::ResponseBody;
use crate::errors;
use crate::pipeline::answer;
use crate::pipeline::attempt::Opened;
use crate::pipeline::dispatch::Dispatch;

/// Dispatches, whether or not anybody waits for it.
pub(crate) async fn run(mut dispatch: Box<Dispatch>) -> Response<ResponseBody> {
    let (sender, receiver) = oneshot::channel();
    let leftovers = dispatch.gateway.leftovers.clone();
    let dialect = dispatch.asked.dialect;
    leftovers.spawn(async move {
        let opened = dispatch.open().await;
        dispatch.tell_followers(&opened);
        // Without a client a whole answer leaves its usage in the record, and a stream is still to be read.
        if sender.is_closed() && !matches!(opened, Ok(Opened::Stream(_))) {
            return;
        }
        // Fails where the client leaves just now: a stream then goes on alone.
        let _ = sender.send(answer(dispatch, opened));
    });
    receiver.await.unwrap_or_else(|_| {
        let error = PublicError::new(ErrorCode::Internal, "the request ended without an answer");
        errors::response_in(dialect, &error, None)
    })
}
