//! Who may do what: every route of the table by every kind of credential.

use axum::Extension;
use axum::Router;
use axum::http::{Request, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use super::fixture::{House, filled, names_a_reading, send};
use crate::{Needs, Permission, Principal, ROUTES, Role, Service, require_store};

#[tokio::test]
async fn each_route_lets_in_whom_the_table_says_and_refuses_everybody_else() {
    let house = House::new().await;
    let nobody = "tsu_0000".to_owned();
    let roles = [
        (&nobody, vec![]),
        (&house.uploader, vec![Permission::Upload]),
        (&house.reader, vec![Permission::View, Permission::Download]),
        (&house.original, vec![Permission::View, Permission::Download, Permission::Original]),
        (
            &house.admin,
            vec![Permission::View, Permission::Download, Permission::Original, Permission::Read, Permission::Results],
        ),
    ];
    let mut refused = 0;
    for (service, path, needs) in ROUTES {
        let Needs::Permission(needs) = needs else { continue };
        for (token, permissions) in &roles {
            let answer = house.ask(*service, &filled(path), token).await;
            let expected = match (*token == &nobody, permissions.contains(needs)) {
                (true, _) => StatusCode::UNAUTHORIZED,
                (false, false) => StatusCode::FORBIDDEN,
                (false, true) if *service == Service::IiifBase => StatusCode::SEE_OTHER,
                // Let in, and there is no such worklist, item or verdict.
                (false, true) if names_a_reading(path) => StatusCode::NOT_FOUND,
                (false, true) => StatusCode::OK,
            };
            assert_eq!(answer.status, expected, "{service:?} by {permissions:?}: {answer:?}");
            if [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&expected) {
                refused += 1;
                let sentence = answer.json();
                assert!(sentence["error"].is_string() && sentence["next_step"].is_string(), "{sentence}");
                assert!(!answer.header("content-security-policy").is_empty());
            }
        }
    }
    assert_eq!(house.log.of("denied").len(), refused, "each refused attempt is recorded by itself");
}

#[test]
fn looking_downloading_and_the_original_are_separate_permissions() {
    for (service, path, needs) in ROUTES {
        let expected = match service {
            Service::Session
            | Service::SignIn
            | Service::Page
            | Service::PageOfStudy
            | Service::Asset
            | Service::Description => Needs::Nothing,
            Service::RetrieveOriginal => Needs::Permission(Permission::Original),
            Service::RetrieveStudy | Service::RetrieveSeries | Service::RetrieveInstance => {
                Needs::Permission(Permission::Download)
            }
            Service::Worklists
            | Service::Claim
            | Service::Release
            | Service::Verdicts
            | Service::Undo
            | Service::Codes => Needs::Permission(Permission::Read),
            Service::Exports | Service::ResultsCsv | Service::ResultsFhir | Service::ReportOfVerdict => {
                Needs::Permission(Permission::Results)
            }
            _ => Needs::Permission(Permission::View),
        };
        assert_eq!(*needs, expected, "{path}");
        assert!(*needs != Needs::Nothing || !path.starts_with("/dicom-web"), "{path}");
    }
}

#[tokio::test]
async fn the_page_is_for_everybody_and_says_what_it_may_load() {
    let house = House::empty().await;
    let page = house.send(Request::get("/").body(String::new()).unwrap()).await;
    let page = String::from_utf8(page.body.to_vec()).unwrap();
    // The one script that stands in the page is allowed by its digest, and no other.
    let script = page.split_once("<script data-base=").and_then(|(_, rest)| rest.split_once('>')).unwrap().1;
    let script = script.split_once("</script>").unwrap().0;
    let boot = format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(script)));
    let (_, from) = page.split_once("href=\"/viewer/").unwrap();
    let version = from.split('/').next().unwrap();
    let [main, style] = ["main.js", "style.css"].map(|name| format!("/viewer/{version}/{name}"));
    assert!(version.starts_with('@') && page.contains(&main) && page.contains(&style), "{page}");
    for path in ["/", &main, &style] {
        let answer = house.send(Request::get(path).body(String::new()).unwrap()).await;
        let keeps = if path == "/" { "no-cache" } else { "public, max-age=31536000, immutable" };
        assert_eq!(answer.header("cache-control"), keeps, "{path}");
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let policy = format!(
            "default-src 'none'; script-src 'self' '{boot}' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; \
             img-src 'self' blob: data:; connect-src 'self'; \
             base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        );
        assert_eq!(answer.header("content-security-policy"), policy);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        let again = Request::get(path).header("if-none-match", answer.header("etag")).body(String::new()).unwrap();
        assert_eq!(house.send(again).await.status, StatusCode::NOT_MODIFIED, "{path}");
    }
    let of_study = house.send(Request::get("/study/1.2.392.1").body(String::new()).unwrap()).await;
    let ahead = "</dicom-web/studies/1.2.392.1/manifest?viewport=512,512>; rel=preload; as=fetch; crossorigin";
    assert_eq!((of_study.header("link"), of_study.body == page), (ahead, true));
    let none = house.send(Request::get("/study/x").body(String::new()).unwrap()).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    let again = house.send(Request::get("/viewer/main.js").body(String::new()).unwrap()).await;
    assert_eq!((again.status, again.header("location")), (StatusCode::TEMPORARY_REDIRECT, main.as_str()));
    for coding in ["br", "gzip"] {
        let asked = Request::get(&main).header("accept-encoding", coding).body(String::new()).unwrap();
        let answer = house.send(asked).await;
        assert_eq!((answer.status, answer.header("content-encoding")), (StatusCode::OK, coding));
        assert_eq!(answer.header("vary"), "Accept-Encoding");
    }
    for path in [
        "/viewer/@0123/main.js",
        "/viewer/@0123/",
        "/viewer/../index.html",
        "/viewer/..%2Findex.html",
        "/viewer/none.js",
        "/package.json",
    ] {
        let answer = house.send(Request::get(path).body(String::new()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_token_and_a_link_become_sessions_and_a_revoked_token_ends_its_own() {
    let house = House::empty().await;
    let body = format!("{{\"token\":\"{}\"}}", house.reader);
    let post = |body: &str| Request::post("/session").header("content-type", "application/json").body(body.to_owned());
    assert_eq!(house.send(post("{\"token\":\"tsu_1\"}").unwrap()).await.status, StatusCode::UNAUTHORIZED);
    let signed_in = house.send(post(&body).unwrap()).await;
    assert_eq!(signed_in.status, StatusCode::NO_CONTENT);
    let cookie = signed_in.header("set-cookie").split(';').next().unwrap().to_owned();
    let studies = || {
        Request::get("/dicom-web/studies")
            .header("accept", "*/*")
            .header("cookie", &cookie)
            .body(String::new())
            .unwrap()
    };
    assert_eq!(house.send(studies()).await.status, StatusCode::NO_CONTENT, "let in, and nothing is held");
    let id = house.state.tokens().list().unwrap().into_iter().find(|row| row.name == "r").unwrap().id;
    assert!(house.state.tokens().revoke(&id, house.state.now()).unwrap());
    assert_eq!(house.send(studies()).await.status, StatusCode::UNAUTHORIZED);

    let person = Principal { name: "demo".into(), centre: "a".into(), permissions: Role::Reader.permissions() };
    let link = house.state.sign_in_path(person, 60);
    let follow = || Request::get(&link).body(String::new()).unwrap();
    let answer = house.send(follow()).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/"));
    // Loaded again in the browser that it signed in, it leads to the page; where a study is named, to that one.
    let cookie = answer.header("set-cookie").split(';').next().unwrap();
    for (more, to) in [("", "/"), ("&study=1.2.392.1", "/study/1.2.392.1"), ("&study=//elsewhere", "/")] {
        let again = Request::get(format!("{link}{more}")).header("cookie", cookie).body(String::new()).unwrap();
        assert_eq!(house.send(again).await.header("location"), to);
    }
    assert!(answer.header("set-cookie").contains("HttpOnly; SameSite=Strict"));
    assert_eq!(house.send(follow()).await.status, StatusCode::UNAUTHORIZED, "once");
    let by_browser = Request::get(&link).header("accept", "text/html,*/*;q=0.8").body(String::new()).unwrap();
    let answer = house.send(by_browser).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/#/link-over"));
}

#[tokio::test]
async fn a_foreign_router_needs_upload_or_annotate_and_learns_who_it_is() {
    let house = House::empty().await;
    let door = post(|Extension(centre): Extension<String>| async move { centre });
    let door = Router::new().route("/dicom-web/studies", door.clone()).route("/dicom-web/studies/{study}", door);
    let door = require_store(door, &house.state, |principal, extensions| {
        extensions.insert(principal.centre.clone());
    });
    let router = house.router.clone().merge(door);
    let store = |token: &str| {
        let request = Request::post("/dicom-web/studies").header("authorization", format!("Bearer {token}"));
        request.body(String::new()).unwrap()
    };
    let answer = send(&router, store(&house.uploader)).await;
    assert_eq!((answer.status, answer.body.as_ref()), (StatusCode::OK, &b"a"[..]));
    assert_eq!(send(&router, store(&house.reader)).await.status, StatusCode::FORBIDDEN);
    assert_eq!(send(&router, store("")).await.status, StatusCode::UNAUTHORIZED);

    // A reader stores to one study, and that is written down before anything is read.
    assert!(house.log.of("annotates").is_empty());
    let annotate = |path: &str| {
        let request = Request::post(path).header("authorization", format!("Bearer {}", house.reader));
        request.body(String::new()).unwrap()
    };
    assert_eq!(send(&router, annotate("/dicom-web/studies/1.2.3")).await.status, StatusCode::OK);
    let written = house.log.of("annotates");
    assert_eq!((written.len(), &written[0]["subject"], &written[0]["study"]), (1, &"r".into(), &"1.2.3".into()));
    assert_eq!(send(&router, annotate("/dicom-web/studies/Yamada")).await.status, StatusCode::FORBIDDEN);

    // By cookie only our own page may act.
    let person = Principal { name: "d".into(), centre: "a".into(), permissions: Role::Admin.permissions() };
    let link = house.state.sign_in_path(person, 60);
    let signed_in = house.send(Request::get(link).body(String::new()).unwrap()).await;
    let cookie = signed_in.header("set-cookie").split(';').next().unwrap().to_owned();
    let store = |site: &str| {
        let request = Request::post("/dicom-web/studies").header("cookie", &cookie).header("sec-fetch-site", site);
        request.body(String::new()).unwrap()
    };
    assert_eq!(send(&router, store("same-origin")).await.status, StatusCode::OK);
    assert_eq!(send(&router, store("cross-site")).await.status, StatusCode::FORBIDDEN);
}
