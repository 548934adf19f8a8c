//! What a client was shown of a stream: copied as it goes, and read only when there is need or much of it.

use bytes::Bytes;
use pointsman_config::{Deployment, OnInterrupt, ToolDeltas};
use pointsman_core::{Dialect, Operation};
use pointsman_wire::convert::codec;
use pointsman_wire::neutral::AnswerContext;
use pointsman_wire::rescue::{Hold, Shown};

use crate::pipeline::dispatch::Dispatch;
use crate::pipeline::translate;

/// Bytes that are kept as they were shown; more are read, which leaves of each event what it says.
const MAX_UNREAD_BYTES: usize = 64 * 1024;
/// Most bytes of text and calls that are kept. A longer answer is not gone on with.
const MAX_KEPT_BYTES: usize = 1024 * 1024;

/// What is kept of one stream.
pub(crate) struct Keep {
    dialect: Dialect,
    unread: Vec<u8>,
    read: Option<Box<Shown>>,
    /// For when it is read.
    context: AnswerContext,
    hold: Option<Hold>,
}

impl Keep {
    /// For a stream that is about to be shown; `None` where nobody could go on with it.
    pub(crate) fn of(dispatch: &Dispatch, deployment: &Deployment) -> Option<Self> {
        let served = dispatch.operation == Operation::Chat && !dispatch.asked.json_array;
        let wanted = dispatch.route.on_interrupt != OnInterrupt::Error;
        if !served || !wanted || !dispatch.may_go_on() {
            return None;
        }
        Self::new(dispatch, None, translate::context(dispatch, deployment))
    }

    /// For what comes after `shown`.
    pub(crate) fn after(dispatch: &Dispatch, shown: Shown) -> Option<Self> {
        if !dispatch.may_go_on() {
            return None;
        }
        Self::new(dispatch, Some(Box::new(shown)), AnswerContext::default())
    }

    fn new(dispatch: &Dispatch, read: Option<Box<Shown>>, context: AnswerContext) -> Option<Self> {
        let dialect = dispatch.asked.dialect;
        let codec = codec(dialect)?;
        let holds = dispatch.route.tool_deltas == ToolDeltas::Hold;
        let hold = holds.then(|| Hold::new(dialect, codec));
        Some(Self { dialect, unread: Vec::new(), read, context, hold })
    }

    /// Keeps calls back that are not whole yet.
    pub(crate) fn hold_calls(&mut self, out: &mut Vec<Bytes>) {
        if let Some(hold) = &mut self.hold {
            hold.filter(out);
        }
    }

    /// The answer is whole: what is kept back is shown.
    pub(crate) fn release(&mut self, out: &mut Vec<Bytes>) {
        if let Some(hold) = &mut self.hold {
            hold.release(out);
        }
    }

    /// The client gets these bytes. Returns whether they could be kept.
    pub(crate) fn shown(&mut self, bytes: &[u8]) -> bool {
        if self.unread.len() + bytes.len() > MAX_UNREAD_BYTES && !self.catch_up() {
            return false;
        }
        self.unread.extend_from_slice(bytes);
        true
    }

    /// What was shown.
    pub(crate) fn read(mut self) -> Option<Shown> {
        if !self.catch_up() {
            return None;
        }
        self.read.map(|shown| *shown)
    }

    /// Reads what was kept unread.
    fn catch_up(&mut self) -> bool {
        let Some(codec) = codec(self.dialect) else { return false };
        let context = &mut self.context;
        let shown = self.read.get_or_insert_with(|| Box::new(Shown::new(codec, std::mem::take(context))));
        let read = shown.read(&self.unread).is_ok();
        self.unread.clear();
        read && shown.size() <= MAX_KEPT_BYTES
    }
}
