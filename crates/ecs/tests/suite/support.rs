//! A lab, and clients made the way the program makes them: an assumed role, narrowed to one scope.

use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use ecs_agent_credentials::{
    CredentialContext, CredentialReference, Endpoints, InvocationId, OperateGrant, ScopeRequest,
    SecretText, SessionPolicy, Sources, Statement, StaticCredentials,
};
use ecs_agent_ecs::inspect::Inspection;
use ecs_agent_ecs::{
    Approval, Approved, AwsClients, Catalogue, Observation, ObserveOptions, Plan, Proposed,
    ServiceTarget, StepOutcome, analyse, observe, observe_policy, propose,
};
use ecs_agent_lab::{LabConfig, LabHandle, LabServer, RequestOutcome, Scenario};

pub(super) struct World {
    pub(super) lab: LabHandle,
    pub(super) clients: AwsClients,
    pub(super) context: Arc<CredentialContext>,
    sources: Sources,
    reference: CredentialReference,
}

impl World {
    pub(super) async fn of(scenario: &str) -> Self {
        Self::playing(Scenario::named(scenario).unwrap()).await
    }

    pub(super) async fn playing(scenario: Scenario) -> Self {
        let lab = LabServer::start(LabConfig::new(scenario)).await.unwrap();
        let account = &lab.accounts()[0];
        let region = lab.truth().target.region.clone();
        let region = region
            .as_ref()
            .unwrap_or(&account.regions[0])
            .parse()
            .unwrap();
        let endpoints = Endpoints::Override(lab.url().parse().unwrap());
        let invocation = InvocationId::new(uuid::Uuid::now_v7());
        let context = CredentialContext::new(invocation, Some(region), endpoints);
        let secret = SecretText::from(account.secret_access_key.clone());
        let keys = StaticCredentials::new(&account.access_key_id, secret, None, None).unwrap();
        let sources = Sources::builder().with_static("lab", keys).build();
        let reference = CredentialReference::AssumeRole {
            role_arn: account.role_arn.parse().unwrap(),
            external_id: Some(account.external_id.clone()),
            base: Box::new(CredentialReference::Static {
                label: "lab".to_owned(),
            }),
        };
        let clients = AwsClients::new(&context).unwrap();
        let world = Self {
            lab,
            clients,
            context,
            sources,
            reference,
        };
        world.may_read().await;
        world
    }

    pub(super) fn target(&self) -> ServiceTarget {
        let target = &self.lab.truth().target;
        ServiceTarget::new(&target.cluster, &target.service)
    }

    /// Narrows the clients' credentials to reading.
    pub(super) async fn may_read(&self) {
        let scope = ScopeRequest::observe(observe_policy().unwrap());
        self.fill(scope).await;
    }

    /// Narrows the clients' credentials to what one question reads.
    pub(super) async fn may_ask(&self, inspection: Inspection) {
        let scope = ScopeRequest::observe(inspection.policy().unwrap());
        self.fill(scope).await;
    }

    /// Narrows the clients' credentials to what the session of this step may do.
    pub(super) async fn may_carry_out(&self, plan: &Plan<Approved>, step: u32) {
        let grant = plan.grant(step).unwrap();
        self.fill(ScopeRequest::operate(grant)).await;
    }

    /// Narrows the clients' credentials to undoing these steps; they have to fit one session.
    pub(super) async fn may_undo(&self, plan: &Plan<Approved>, done: &[StepOutcome]) {
        let mut grants = plan.rollback_grants(done).unwrap();
        // A plan that needs no inverse operation has no session to undo it.
        if let Some((_, grant)) = grants.pop() {
            assert!(grants.is_empty(), "more than one session to undo");
            self.fill(ScopeRequest::operate(grant)).await;
        }
    }

    /// Narrows the clients' credentials to whatever policy a test wants to see fail.
    pub(super) async fn narrow_to(&self, statements: Vec<Statement>) {
        let policy = SessionPolicy::new(statements).unwrap();
        self.fill(ScopeRequest::operate(OperateGrant::new("a test", policy)))
            .await;
    }

    async fn fill(&self, scope: ScopeRequest) {
        let described = self
            .sources
            .fill(&self.context, &self.reference, scope)
            .await;
        described.unwrap();
    }

    pub(super) async fn observe(&self) -> Observation {
        observe(&self.clients, &self.target(), ObserveOptions::default())
            .await
            .unwrap()
    }

    /// The program's own plan for what is wrong, approved by a person.
    pub(super) async fn approved_repair(&self) -> (Observation, Plan<Approved>) {
        let observation = self.observe().await;
        let diagnosis = analyse(&observation, &Catalogue::embedded().unwrap());
        let plan = propose(&observation, &diagnosis).unwrap();
        (observation, approved(plan))
    }

    /// Every write that reached AWS.
    pub(super) fn writes(&self) -> Vec<String> {
        self.lab
            .requests()
            .into_iter()
            .filter(|request| request.mutating)
            .map(|request| format!("{}:{}", request.service, request.operation))
            .collect()
    }

    /// Every call that a policy refused.
    pub(super) fn denied(&self) -> Vec<String> {
        self.lab
            .requests()
            .into_iter()
            .filter(|request| matches!(request.outcome, RequestOutcome::Denied(_)))
            .map(|request| format!("{}:{}", request.service, request.operation))
            .collect()
    }
}

/// The plan, approved by a person just now.
pub(super) fn approved(plan: Plan<Proposed>) -> Plan<Approved> {
    let now = Utc::now();
    let later = now + TimeDelta::minutes(10);
    let plan = plan.bind("thread", later);
    let approval = Approval {
        plan_hash: plan.hash(),
        decided_by: "person".to_owned(),
        decided_at: now,
        expires_at: later,
    };
    plan.approve(approval).unwrap()
}
