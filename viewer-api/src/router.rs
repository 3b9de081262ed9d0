//! The router, built from the one table of what is served.

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, get};

use crate::access::{self, Gate, ROUTES, Service};
use crate::state::ViewerState;
use crate::{assets, iiif, metadata, openapi, qido, rendered, wado};

/// Everything the read side serves, each behind its guard. Other crates' routers are merged beside it, behind
/// [`require_upload`](crate::require_upload).
pub fn router(state: ViewerState) -> Router {
    let routes = ROUTES.iter().fold(Router::new(), |router, (service, path, needs)| {
        let gate = Gate { state: state.clone(), act: format!("{service:?}"), needs: *needs };
        router.route(path, handler(*service).layer(from_fn_with_state(gate, access::guard)))
    });
    routes.layer(from_fn(assets::guarded_headers)).with_state(state)
}

fn handler(service: Service) -> MethodRouter<ViewerState> {
    match service {
        Service::SearchStudies => get(qido::studies),
        Service::SearchSeries | Service::SearchSeriesOfStudy => get(qido::series),
        Service::SearchInstances | Service::SearchInstancesOfStudy | Service::SearchInstancesOfSeries => {
            get(qido::instances)
        }
        Service::RetrieveStudy | Service::RetrieveSeries | Service::RetrieveInstance => get(wado::retrieve),
        Service::RetrieveOriginal => get(wado::original),
        Service::MetadataOfStudy | Service::MetadataOfSeries | Service::MetadataOfInstance => get(metadata::metadata),
        Service::RetrieveFrames => get(wado::frames),
        Service::RetrieveBulkdata => get(wado::bulkdata),
        Service::RenderedInstance | Service::RenderedFrame => get(rendered::rendered),
        Service::ThumbnailOfStudy
        | Service::ThumbnailOfSeries
        | Service::ThumbnailOfInstance
        | Service::ThumbnailOfFrame => get(rendered::thumbnail),
        Service::IiifBase => get(iiif::base),
        Service::IiifInfo => get(iiif::info),
        Service::IiifImage => get(iiif::image),
        Service::Session => get(access::session_of).delete(access::session_of).post(access::start_session),
        Service::SignIn => get(access::sign_in),
        Service::Description => get(openapi::description),
        Service::Page => get(assets::page),
        Service::Asset => get(assets::asset),
    }
}
