//! Stages 5 and 8: may this caller use that model, and which deployments are asked in which order.

use std::sync::Arc;
use std::time::Duration;

use pointsman_config::{Deployment, RouteOptions, Snapshot};
use pointsman_core::{Dialect, ErrorCode, Principal, PublicError, Rng};
use pointsman_routing::{Known, Plan, ResolveError, Resolved};
use pointsman_wire::probe::Probe;
use pointsman_wire::splice::Edits;
use smallvec::{SmallVec, smallvec};

use crate::asked::Asked;
use crate::pipeline::balance::{Belonging, LiveBalance, Sticky};
use crate::pipeline::chains::Chains;
use crate::settlement::Settlement;

/// What dispatching needs of the plan.
pub(crate) struct Planned {
    pub(crate) candidates: SmallVec<[Arc<Deployment>; 2]>,
    /// Further ones for single causes.
    pub(crate) chains: Chains,
    pub(crate) route: Arc<RouteOptions>,
    pub(crate) total: Duration,
    pub(crate) choices: u64,
    pub(crate) streamed: bool,
    pub(crate) wants_usage: bool,
    /// For the first attempt: made while the probe is at hand.
    pub(crate) first_edits: Option<Edits>,
    pub(crate) rng: Rng,
}

impl Planned {
    /// The plan of a plain request to these candidates.
    pub(crate) fn plain(
        route: Arc<RouteOptions>,
        candidates: SmallVec<[Arc<Deployment>; 2]>,
        rng: Rng,
    ) -> Self {
        Self {
            total: total(&route, &candidates),
            first_edits: None,
            chains: Chains::default(),
            choices: 1,
            route,
            candidates,
            streamed: false,
            wants_usage: false,
            rng,
        }
    }
}

/// Resolves the model, checks the caller's permission, and draws the plan.
pub(crate) fn plan(
    snapshot: &Arc<Snapshot>,
    (body, probe): (&[u8], &Probe<'_>),
    asked: &Asked,
    settlement: &mut Settlement,
) -> Result<Planned, PublicError> {
    let streamed = asked.streams(probe);
    settlement.update(|record| record.streamed = streamed);
    let in_body = || probe.model.as_ref().map(|model| model.value.as_ref());
    let name = asked.model.as_deref().or_else(in_body);
    let mut planned = for_conversation(snapshot, name, Some(body), settlement)?;
    planned.streamed = streamed;
    planned.wants_usage = probe.wants_usage();
    planned.choices = probe.choices.unwrap_or(1).max(1);
    // Of other dialects each attempt makes its own: they are seldom sent as they are.
    let first = planned.candidates.first().filter(|_| asked.dialect == Dialect::OpenAiChat);
    planned.first_edits =
        first.map(|first| probe.edits(&first.model_json, adds_usage(first, streamed, planned.wants_usage)));
    Ok(planned)
}

/// Resolves `name`, checks the caller's permission, and draws the plan of a plain request.
pub(crate) fn by_name(
    snapshot: &Arc<Snapshot>,
    name: Option<&str>,
    settlement: &mut Settlement,
) -> Result<Planned, PublicError> {
    for_conversation(snapshot, name, None, settlement)
}

/// The same for a request with this body, which may tell what it belongs to.
fn for_conversation(
    snapshot: &Arc<Snapshot>,
    name: Option<&str>,
    body: Option<&[u8]>,
    settlement: &mut Settlement,
) -> Result<Planned, PublicError> {
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Err(PublicError::new(
            ErrorCode::InvalidRequest,
            "`model` is missing; GET /v1/models lists the choices",
        )
        .at("model"));
    };
    let mut rng = settlement.record().map_or_else(|| Rng::new(0), |record| Rng::for_request(record.id));
    let resolved = snapshot.resolver.resolve(name).map_err(|error| {
        // Names come from callers: what is kept of an unknown one is bounded.
        settlement
            .update(|record| record.requested_model = name.chars().take(200).collect::<String>().into());
        let principal = settlement.record().map(|record| Arc::clone(&record.principal));
        unresolved(snapshot, principal.as_deref(), error)
    })?;
    let (candidates, route_id) = match resolved {
        Resolved::Known(known) => {
            let (plan, sticky) = draw(snapshot, &known, body, settlement, &mut rng);
            settlement.sticky = sticky;
            settlement.update(|record| {
                record.requested_model = plan.name.clone();
                record.route.clone_from(&plan.route);
            });
            permit(settlement, name, || known.canonical_name())?;
            let deployments =
                plan.candidates.iter().filter_map(|candidate| snapshot.deployment(candidate.deployment));
            (deployments.cloned().collect(), plan.route_id)
        }
        Resolved::Dynamic(dynamic) => {
            let deployment = snapshot.dynamic(dynamic).ok_or_else(|| {
                PublicError::new(ErrorCode::Internal, "the model's provider is not in the snapshot")
            })?;
            settlement.update(|record| record.requested_model = name.into());
            permit(settlement, name, || &deployment.name)?;
            (smallvec![deployment], None)
        }
    };
    let route = snapshot.route(route_id).clone();
    let chains = Chains::of(snapshot, &route);
    Ok(Planned { chains, ..Planned::plain(route, candidates, rng) })
}

/// The plan, and where its session is to be kept.
fn draw(
    snapshot: &Snapshot,
    known: &Known<'_>,
    body: Option<&[u8]>,
    settlement: &Settlement,
    rng: &mut Rng,
) -> (Plan, Option<Sticky>) {
    let gateway = settlement.gateway();
    let balance = match settlement.record() {
        Some(record) => LiveBalance::new(gateway, snapshot, Belonging::of(record, body)),
        None => LiveBalance::without_affinity(gateway, snapshot),
    };
    let plan = known.plan(rng, &balance);
    (plan, balance.sticky())
}

/// What a caller is told of a name that leads nowhere: a restricted key learns no names but its own.
pub(crate) fn unresolved(
    snapshot: &Snapshot,
    principal: Option<&Principal>,
    error: ResolveError,
) -> PublicError {
    match principal.filter(|principal| principal.models.is_some()) {
        Some(principal) => snapshot.resolver.permitted(error, |name| principal.may_use(name)).into(),
        None => error.into(),
    }
}

/// Whether the provider is asked for the usage chunk on our own account.
pub(crate) fn adds_usage(deployment: &Deployment, streamed: bool, wants_usage: bool) -> bool {
    streamed && !wants_usage && deployment.provider.accepts_include_usage
}

/// The request's whole time: the most patient candidate's, where the route sets none.
fn total(route: &RouteOptions, candidates: &[Arc<Deployment>]) -> Duration {
    let own = |deployment: &Arc<Deployment>| route.timeouts.of(deployment).total;
    candidates.iter().map(own).max().unwrap_or_default()
}

/// `canonical` is looked up for restricted keys only; what it is stays here: the name may have been a guess.
fn permit<'a>(
    settlement: &Settlement,
    name: &str,
    canonical: impl FnOnce() -> &'a Arc<str>,
) -> Result<(), PublicError> {
    let principal = settlement.record().map(|record| &record.principal);
    let restricted = principal.filter(|principal| principal.models.is_some());
    if restricted.is_none_or(|principal| principal.may_use(name) || principal.may_use(canonical())) {
        return Ok(());
    }
    let message = format!("this key may not use `{name}`; GET /v1/models lists what it may use");
    Err(PublicError::new(ErrorCode::ModelNotAllowed, message).at("model"))
}
