use ecs_agent_store::{ApiKeyRecord, TenantScope};

use super::at;

fn key(id: &str, tenant: &str) -> ApiKeyRecord {
    ApiKeyRecord {
        id: id.parse().unwrap(),
        tenant: tenant.parse().unwrap(),
        name: "ci".to_owned(),
        person: "ada".to_owned(),
        actions: vec!["read".to_owned()],
        digest: "d".repeat(64),
        created_at: at(0),
        expires_at: at(100),
        revoked_at: None,
    }
}

fn scope(tenant: &str) -> TenantScope {
    TenantScope::authenticated(tenant.parse().unwrap())
}

conformance! {
    a_key_is_found_by_its_id_and_managed_by_its_tenant(bench) {
        let store = bench.store().await;
        let (ours, theirs) = (scope("acme"), scope("globex"));
        let made = key("00000000000000a1", "acme");
        store.insert_api_key(&ours, &made).await.unwrap();
        // Whatever the record says, it is the scope's.
        store.insert_api_key(&theirs, &key("00000000000000b2", "acme")).await.unwrap();
        assert_eq!(store.api_key(&made.id).await.unwrap(), Some(made.clone()));
        assert_eq!(store.api_key(&"ffffffffffffffff".parse().unwrap()).await.unwrap(), None);
        assert_eq!(store.api_keys(&ours).await.unwrap(), std::slice::from_ref(&made));
        assert!(store.insert_api_key(&theirs, &made).await.is_err(), "an id is one key's");

        assert!(!store.revoke_api_key(&theirs, &made.id, at(1)).await.unwrap());
        assert!(!store.expire_api_key(&theirs, &made.id, at(1)).await.unwrap());
        assert_eq!(store.api_key(&made.id).await.unwrap(), Some(made.clone()));
        assert!(store.expire_api_key(&ours, &made.id, at(50)).await.unwrap());
        assert!(store.expire_api_key(&ours, &made.id, at(70)).await.unwrap());
        assert!(store.revoke_api_key(&ours, &made.id, at(20)).await.unwrap());
        assert!(store.revoke_api_key(&ours, &made.id, at(30)).await.unwrap());
        let ended = store.api_key(&made.id).await.unwrap().unwrap();
        assert_eq!((ended.expires_at, ended.revoked_at), (at(50), Some(at(20))));
    }
}
