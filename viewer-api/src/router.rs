//! The router, built from the one table of what is served.

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, get, post};

use crate::access::{self, Gate, ROUTES, Service};
use crate::error::Error;
use crate::state::ViewerState;
use crate::{
    assets, capabilities, changes, compressed, iiif, list, manifest, metadata, openapi, qido, reading, rendered, wado,
};

/// Everything the read side serves, each behind its guard. Other crates' routers are merged beside it, behind
/// [`require_store`](crate::require_store).
pub fn router(state: ViewerState) -> Router {
    let routes = ROUTES.iter().fold(Router::new(), |router, (service, path, needs)| {
        let gate = Gate { state: state.clone(), act: format!("{service:?}").into(), needs: *needs };
        let guarded = handler(*service).layer(from_fn_with_state(gate, access::guard));
        // What may be done is told to everybody (RFC 9110 §9.3.7); browsers ask it without credentials.
        router.route(
            path,
            match service {
                Service::Capabilities => guarded.options(capabilities::capabilities),
                _ => guarded.options(move || capabilities::options(path)),
            },
        )
    });
    let routes = routes.fallback(unknown).method_not_allowed_fallback(no_such_method);
    routes.layer(from_fn(compressed::compressed)).layer(from_fn(assets::guarded_headers)).with_state(state)
}

/// A path that nothing is served at.
async fn unknown() -> Error {
    Error::NotFound("a resource of this path".into())
}

/// A path without this method; the Allow header says which ones there are.
async fn no_such_method() -> Error {
    Error::Method
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
        Service::StudyManifest => get(manifest::manifest),
        Service::RetrieveFrames => get(wado::frames),
        Service::RetrieveBulkdata => get(wado::bulkdata),
        Service::BulkdataOfStudy | Service::BulkdataOfSeries | Service::BulkdataOfInstance => get(wado::all_bulkdata),
        Service::RenderedStudy | Service::RenderedSeries => get(rendered::rendered_all),
        Service::RenderedInstance | Service::RenderedFrame => get(rendered::rendered),
        Service::WadoUri => get(wado::wado_uri),
        Service::Capabilities => get(capabilities::capabilities),
        Service::ThumbnailOfStudy
        | Service::ThumbnailOfSeries
        | Service::ThumbnailOfInstance
        | Service::ThumbnailOfFrame => get(rendered::thumbnail),
        Service::IiifBase => get(iiif::base),
        Service::IiifInfo => get(iiif::info),
        Service::IiifImage => get(iiif::image),
        Service::Changes => get(changes::changes),
        Service::ListStudies => post(list::studies),
        Service::Worklists => get(reading::worklists).post(reading::create_worklist),
        Service::Claim => post(reading::claim),
        Service::Release => post(reading::release),
        Service::Verdicts => post(reading::save_verdicts),
        Service::Undo => post(reading::undo_verdict),
        Service::Codes => get(reading::codes),
        Service::Exports => get(reading::exports).post(reading::export),
        Service::ResultsCsv => get(reading::results_csv),
        Service::ResultsFhir => get(reading::results_fhir),
        Service::ReportOfVerdict => get(reading::verdict_sr),
        Service::Session => get(access::session_of).delete(access::session_of).post(access::start_session),
        Service::SignIn => get(access::sign_in),
        Service::Description => get(openapi::description),
        Service::Page => get(assets::page),
        Service::PageOfStudy => get(assets::page_of_study),
        Service::Asset => get(assets::asset),
    }
}
