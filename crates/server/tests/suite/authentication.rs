//! Who is asked for a key, what counts as one, and what a key opens.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use chrono::{TimeDelta, Utc};
use ecs_agent_server::{Action, Actions, ApiKeyParams, ApiKeys, ApiKeysError, ServeError, bind};
use ecs_agent_store::TenantScope;
use serde_json::json;

use super::house::{ASSISTANT, House, get, post, read, text, with_key};
use super::tenants::{Ids, requests};

#[tokio::test]
async fn nothing_but_the_open_routes_answers_without_a_key() {
    let house = House::with_keys().await;
    for path in ["/ok", "/info"] {
        assert_eq!(house.get(path).await.0, StatusCode::OK, "{path}");
    }
    let nobody = Ids::nobody();
    let mut asked: Vec<Request<Body>> = requests(&nobody).into_iter().map(|(_, r)| r).collect();
    // What is not there is not told either.
    asked.push(get("/no/such/route"));
    let wrong_method = Request::delete("/threads/search").header(header::HOST, "localhost");
    asked.push(wrong_method.body(Body::empty()).unwrap());
    for request in asked {
        let what = format!("{} {}", request.method(), request.uri());
        let response = house.send(request).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{what}");
        assert!(
            response.headers()[header::WWW_AUTHENTICATE]
                .to_str()
                .unwrap()
                .starts_with("Bearer")
        );
        assert!(
            text(response).await.contains("credential is needed"),
            "{what}"
        );
    }
    let preflight = Request::builder()
        .method(Method::OPTIONS)
        .uri("/threads/search")
        .header(header::HOST, "localhost")
        .header(header::ORIGIN, "http://localhost:3000")
        .body(Body::empty())
        .unwrap();
    // A browser asks without the key whether it may send one.
    assert_eq!(house.send(preflight).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_key_opens_in_both_headers_and_nothing_like_it_does() {
    let house = House::with_keys().await;
    let key = house.key("acme", Actions::all()).await;
    let search = || post("/threads/search", &json!({}));
    let with = |headers: &[(&str, String)]| {
        let mut request = search();
        for (name, value) in headers {
            let name = header::HeaderName::try_from(*name).unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        request
    };
    let bearer = format!("Bearer {key}");
    let other_secret = {
        let cut = key.len() - 1;
        let last = if key.ends_with('0') { '1' } else { '0' };
        format!("{}{last}", &key[..cut])
    };
    let other_id = key.replacen(&key[4..20], "0123456789abcdef", 1);
    let cases = [
        (vec![("x-api-key", key.clone())], StatusCode::OK),
        (vec![("authorization", bearer.clone())], StatusCode::OK),
        (
            vec![("authorization", format!("bearer {key}"))],
            StatusCode::OK,
        ),
        (
            vec![
                ("x-api-key", key.clone()),
                ("authorization", bearer.clone()),
            ],
            StatusCode::OK,
        ),
        (
            vec![("x-api-key", other_secret.clone())],
            StatusCode::UNAUTHORIZED,
        ),
        (vec![("x-api-key", other_id)], StatusCode::UNAUTHORIZED),
        (vec![("x-api-key", String::new())], StatusCode::UNAUTHORIZED),
        (
            vec![("x-api-key", "secret".to_owned())],
            StatusCode::UNAUTHORIZED,
        ),
        (
            vec![("authorization", key.clone())],
            StatusCode::UNAUTHORIZED,
        ),
        (
            vec![("authorization", format!("Basic {key}"))],
            StatusCode::UNAUTHORIZED,
        ),
        (
            vec![
                ("x-api-key", key.clone()),
                ("x-api-key", other_secret.clone()),
            ],
            StatusCode::UNAUTHORIZED,
        ),
        (
            vec![
                ("x-api-key", key.clone()),
                ("authorization", format!("Bearer {other_secret}")),
            ],
            StatusCode::UNAUTHORIZED,
        ),
        // A tenant or a person is never what a header says.
        (
            vec![
                ("x-tenant", "acme".to_owned()),
                ("x-user-id", "ada".to_owned()),
            ],
            StatusCode::UNAUTHORIZED,
        ),
    ];
    for (headers, status) in cases {
        let (given, body) = read(house.send(with(&headers)).await).await;
        assert_eq!(given, status, "{headers:?} {body}");
        assert!(!body.to_string().contains(&key), "{body}");
    }
    let unknown = house
        .send(with(&[(
            "x-api-key",
            key.replacen(&key[4..20], "0123456789abcdef", 1),
        )]))
        .await;
    let wrong = house.send(with(&[("x-api-key", other_secret)])).await;
    assert_eq!(
        text(unknown).await,
        text(wrong).await,
        "an id that is there is not told"
    );
}

#[tokio::test]
async fn a_key_ends_when_it_expires_is_revoked_or_rotated() {
    let house = House::with_keys().await;
    let tenant = TenantScope::authenticated("acme".parse().unwrap());
    let keys = ApiKeys::new(&house.store, &tenant, "ops");
    let params = |days: u64| ApiKeyParams {
        name: "ci".to_owned(),
        person: "ada".to_owned(),
        actions: [Action::Read].into_iter().collect(),
        lives: Duration::from_secs(days * 86_400),
    };
    let opens = async |key: &str| {
        let request = with_key(post("/threads/search", &json!({})), key);
        house.send(request).await.status() == StatusCode::OK
    };
    let now = Utc::now();
    let (expired, _) = keys
        .create(params(1), now - TimeDelta::days(2))
        .await
        .unwrap();
    assert!(!opens(&expired.reveal()).await);
    let (early, _) = keys
        .create(params(1), now + TimeDelta::hours(1))
        .await
        .unwrap();
    assert!(!opens(&early.reveal()).await, "a key of the future");

    let (old, _) = keys.create(params(90), now).await.unwrap();
    assert!(opens(&old.reveal()).await);
    let (new, record) = keys
        .rotate(old.id(), Duration::from_secs(3600), now)
        .await
        .unwrap();
    assert!(
        opens(&old.reveal()).await && opens(&new.reveal()).await,
        "both, for a while"
    );
    assert_eq!(
        (record.person.as_str(), record.expires_at),
        ("ada", now + TimeDelta::days(90))
    );
    let (newest, _) = keys.rotate(new.id(), Duration::ZERO, now).await.unwrap();
    assert!(!opens(&new.reveal()).await && opens(&newest.reveal()).await);
    keys.revoke(newest.id(), now).await.unwrap();
    assert!(!opens(&newest.reveal()).await);
    let again = keys.rotate(newest.id(), Duration::ZERO, now).await;
    assert!(matches!(again, Err(ApiKeysError::Ended(_))), "{again:?}");

    let others = TenantScope::authenticated("other".parse().unwrap());
    let theirs = ApiKeys::new(&house.store, &others, "mallory");
    assert!(theirs.list().await.unwrap().is_empty());
    for refused in [
        theirs.revoke(old.id(), now).await.err(),
        theirs.rotate(old.id(), Duration::ZERO, now).await.err(),
    ] {
        assert!(
            matches!(refused, Some(ApiKeysError::NotFound { .. })),
            "{refused:?}"
        );
    }
    assert!(opens(&old.reveal()).await);

    let chain = house.store.audit_newest(&tenant, 100).await.unwrap();
    let kinds: Vec<&str> = chain.iter().map(|record| record.kind.as_str()).collect();
    let (made, turned, ended) = ("api_key_created", "api_key_rotated", "api_key_revoked");
    assert_eq!(kinds, [made, made, made, turned, made, turned, made, ended]);
    assert_eq!(chain[0].content["by"], "ops");
    house.store.audit_verify(&tenant).await.unwrap();
}

#[tokio::test]
async fn what_makes_no_sense_makes_no_key() {
    let house = House::with_keys().await;
    let tenant = TenantScope::authenticated("acme".parse().unwrap());
    let keys = ApiKeys::new(&house.store, &tenant, "ops");
    let good = ApiKeyParams {
        name: "ci".to_owned(),
        person: "ada".to_owned(),
        actions: Actions::all(),
        lives: Duration::from_secs(60),
    };
    let bad = [
        ApiKeyParams {
            name: " ".to_owned(),
            ..good.clone()
        },
        ApiKeyParams {
            person: "a\nb".to_owned(),
            ..good.clone()
        },
        ApiKeyParams {
            person: "x".repeat(200),
            ..good.clone()
        },
        ApiKeyParams {
            actions: Actions::default(),
            ..good.clone()
        },
        ApiKeyParams {
            lives: Duration::ZERO,
            ..good.clone()
        },
        ApiKeyParams {
            lives: Duration::from_secs(400 * 86_400),
            ..good.clone()
        },
    ];
    for params in bad {
        assert!(
            keys.create(params.clone(), Utc::now()).await.is_err(),
            "{params:?}"
        );
    }
    assert!(keys.list().await.unwrap().is_empty());
    keys.create(good, Utc::now()).await.unwrap();
}

#[tokio::test]
async fn the_secret_of_a_key_is_nowhere_in_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("threads.sqlite");
    let store = ecs_agent_store::Store::open(&path).await.unwrap();
    let tenant = TenantScope::authenticated("acme".parse().unwrap());
    let params = ApiKeyParams {
        name: "ci".to_owned(),
        person: "ada".to_owned(),
        actions: Actions::all(),
        lives: Duration::from_secs(60),
    };
    let made = ApiKeys::new(&store, &tenant, "ops")
        .create(params, Utc::now())
        .await;
    let key = made.unwrap().0;
    store.checkpoint().await.unwrap();
    let shown = key.reveal();
    let (public, secret) = shown.rsplit_once('_').unwrap();
    let mut kept = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        kept.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let holds = |needle: &str| {
        kept.windows(needle.len())
            .any(|window| window == needle.as_bytes())
    };
    assert!(!holds(secret) && !holds(&secret[..16]));
    // The control: its public half is there.
    assert!(holds(public.trim_start_matches("eda_")));
}

#[tokio::test]
async fn other_machines_are_served_only_with_authentication() {
    let open = House::new().await;
    let wide = open.config("0.0.0.0:0");
    let refused = bind(wide.clone(), open.factory.clone()).await;
    assert!(matches!(refused, Err(ServeError::NotLoopback { .. })));
    let mut closed = wide;
    closed.authentication = ecs_agent_server::Authentication::ApiKeys;
    let bound = bind(closed, open.factory.clone()).await.unwrap();
    assert!(!bound.is_open() && !bound.notice().contains("NO AUTHENTICATION"));
}

#[tokio::test]
async fn a_server_of_other_machines_answers_to_its_names_only() {
    let house = House::with(|config| {
        config.authentication = ecs_agent_server::Authentication::ApiKeys;
        config.allowed_hosts = vec!["agent.example.com".to_owned()];
    })
    .await;
    for (host, status) in [
        ("agent.example.com", StatusCode::OK),
        ("AGENT.example.com:443", StatusCode::OK),
        ("localhost:2024", StatusCode::OK),
        ("192.0.2.7:2024", StatusCode::OK),
        ("rebound.example.com", StatusCode::FORBIDDEN),
        ("agent.example.com.evil.test", StatusCode::FORBIDDEN),
    ] {
        let request = Request::get("/ok").header(header::HOST, host);
        let response = house.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), status, "{host}");
    }
}

#[tokio::test]
async fn the_person_of_the_key_is_who_answers() {
    let house = House::with_keys().await;
    let key = house.key("acme", Actions::all()).await;
    let ask = json!({"assistant_id": ASSISTANT, "input": {"messages": "api is down"}});
    let (_, waited) = read(house.send(with_key(post("/runs/wait", &ask), &key)).await).await;
    assert!(waited["__interrupt__"][0].is_object(), "{waited}");
    let (_, found) = read(
        house
            .send(with_key(post("/threads/search", &json!({})), &key))
            .await,
    )
    .await;
    let thread = found[0]["thread_id"].as_str().unwrap();
    let answer = json!({"assistant_id": ASSISTANT, "command": {"resume": {"choice": "a"}}});
    let path = format!("/threads/{thread}/runs/wait");
    house.send(with_key(post(&path, &answer), &key)).await;
    let tenant = TenantScope::authenticated("acme".parse().unwrap());
    let chain = house.store.audit_newest(&tenant, 100).await.unwrap();
    let told = serde_json::to_string(&chain).unwrap();
    assert!(told.contains("ada@acme"), "{told}");
    let local = house
        .store
        .audit_newest(&TenantScope::local(), 100)
        .await
        .unwrap();
    assert!(local.is_empty(), "{local:?}");
}
