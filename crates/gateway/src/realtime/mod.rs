//! Realtime sessions (`GET /v1/realtime`): a WebSocket that is planned like any request, opened at the first
//! candidate that takes it, and then relayed until one side ends it.
//!
//! [`handshake`] and [`query`] read what the client asks for, [`open`] makes the attempts, [`session`] relays
//! over two [`pipe`]s, [`bill`] keeps the accounts of what the provider reports on the way.

mod bill;
mod handshake;
mod open;
mod pipe;
mod query;
mod session;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use pointsman_core::{Operation, PublicError};

use self::bill::Bill;
use self::handshake::{Offer, Protocols};
use self::open::{Opening, Switched};
use self::query::Query;
use self::session::{Limits, Session};
use crate::body::ResponseBody;
use crate::pipeline::dispatch::{Dispatch, Outgoing};
use crate::pipeline::{admit, deliver, plan, refuse};
use crate::settlement::Settlement;
use crate::{Gateway, errors, headers};

/// Answers a request to open a session.
pub(crate) async fn run(
    gateway: Arc<Gateway>,
    peer: IpAddr,
    mut request: Request<Incoming>,
) -> Response<ResponseBody> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (mut head, _) = request.into_parts();
    let protocols = match Protocols::take(&mut head.headers) {
        Ok(protocols) => protocols,
        Err(error) => {
            gateway.metrics.refused(error.code);
            return errors::response(&error, None);
        }
    };
    let admitted = match admit::admit(&gateway, peer, Operation::Realtime, &head) {
        Ok(admitted) => admitted,
        Err(error) => return errors::response(&error, None),
    };
    let admit::Admitted { snapshot, mut settlement } = admitted;
    settlement.update(|record| record.streamed = true);
    let asked = Offer::read(&head, protocols).and_then(|offer| {
        let query = Query::parse(head.uri.query().unwrap_or_default())?;
        // Some SDKs cannot name a model for sessions that only transcribe.
        let named = || head.headers.get(&headers::MODEL).and_then(|model| model.to_str().ok());
        let planned = plan::by_name(&snapshot, query.model().or_else(named), &mut settlement)?;
        Ok((offer, query, planned))
    });
    let (offer, query, planned) = match asked {
        Ok(asked) => asked,
        Err(error) => return refuse(settlement, &error),
    };
    let outgoing = Outgoing::new(Bytes::new(), &head.headers);
    let mut dispatch = Dispatch::new(gateway.clone(), settlement, planned, outgoing);
    match open::open(&mut dispatch, &offer, &query).await {
        Ok(Opening::Switched(switched)) => {
            let limits = Limits::of(&snapshot.settings.server);
            let bill = Bill::new(snapshot, switched.deployment.clone(), query.transcribes());
            begin(dispatch, *switched, bill, limits, (upgrade, &offer))
        }
        Ok(Opening::Rejected(rejection)) => deliver::deliver(dispatch, rejection),
        Err(error) => refuse(dispatch.into_settlement(), &error),
    }
}

/// 101 to the client; the session begins when that has left.
fn begin(
    mut dispatch: Box<Dispatch>,
    switched: Switched,
    bill: Bill,
    limits: Limits,
    (upgrade, offer): (OnUpgrade, &Offer),
) -> Response<ResponseBody> {
    let gateway = dispatch.gateway.clone();
    let masks = match session::masks() {
        Ok(masks) => masks,
        Err(error) => return refuse_late(dispatch, &error),
    };
    let settlement = &mut dispatch.settlement;
    settlement.meter.pause(gateway.clock.now());
    settlement.update(|record| {
        record.status = StatusCode::SWITCHING_PROTOCOLS.as_u16();
        record.simulated = switched.deployment.provider.simulated();
    });
    let mut response = Response::new(ResponseBody::full(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let out = response.headers_mut();
    out.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    out.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    out.insert(header::SEC_WEBSOCKET_ACCEPT, offer.accept.clone());
    if let Some(protocol) = offer.protocols.answer(switched.protocol.as_ref()) {
        out.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    headers::answer(&switched.headers, out);
    name_source(out, settlement, &switched);
    // The session has its accounts; should the client be gone already, dropping them settles.
    let session = Session::new(dispatch, switched.io, bill, masks, limits);
    gateway.leftovers.spawn(async move {
        if let Ok(client) = upgrade.await {
            session.run(client).await;
        }
    });
    response
}

fn name_source(out: &mut http::HeaderMap, settlement: &Settlement, switched: &Switched) {
    let Some(record) = settlement.record() else { return };
    // The attempt that is under way has no row yet.
    deliver::name_source(out, settlement, &switched.deployment, record.attempts.len() + 1);
    headers::insert_request_id(out, record.id);
}

fn refuse_late(dispatch: Box<Dispatch>, error: &PublicError) -> Response<ResponseBody> {
    refuse(dispatch.into_settlement(), error)
}
