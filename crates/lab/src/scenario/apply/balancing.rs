//! Target groups, and what forwards to them.

use super::{Hand, layout, missing};
use crate::world::{SecurityGroup, TargetGroup};

impl Hand<'_> {
    fn target_group_arn(&self, service: &str) -> Result<String, String> {
        self.service(service)?
            .load_balancers
            .first()
            .map(|binding| binding.target_group_arn.clone())
            .ok_or_else(|| format!("service `{service}` has no load balancer"))
    }

    /// Somebody points the listener at a page of their own.
    pub(super) fn detach_target_group(&mut self, service: &str) -> Result<(), String> {
        let arn = self.target_group_arn(service)?;
        let region = self.region()?;
        let other = region.arn(
            "elasticloadbalancing",
            &format!(
                "targetgroup/maintenance/{}",
                region.ids.child(&format!("maintenance/{service}")).hex(16)
            ),
        );
        let group = region
            .target_groups
            .get_mut(&arn)
            .ok_or_else(|| missing("target group", &arn))?;
        let page = TargetGroup {
            name: "maintenance".to_owned(),
            arn: other.clone(),
            targets: Vec::new(),
            ..group.clone()
        };
        group.load_balancers.clear();
        region.target_groups.insert(other.clone(), page);
        self.forward(&arn, &other)
    }

    pub(super) fn attach_target_group(&mut self, service: &str) -> Result<(), String> {
        let arn = self.target_group_arn(service)?;
        let region = self.region()?;
        let page = region
            .target_groups
            .values()
            .find(|group| group.name == "maintenance")
            .cloned()
            .ok_or_else(|| missing("target group", "maintenance"))?;
        if let Some(group) = region.target_groups.get_mut(&arn) {
            group.load_balancers.clone_from(&page.load_balancers);
        }
        self.forward(&page.arn, &arn)
    }

    /// Lets every listener and rule that forwards to one group forward to another.
    fn forward(&mut self, from: &str, to: &str) -> Result<(), String> {
        let region = self.region()?;
        for listener in region.listeners.values_mut() {
            if listener.default_target_group == from {
                listener.default_target_group = to.to_owned();
            }
        }
        for rule in region.listener_rules.values_mut() {
            if rule.target_group == from {
                rule.target_group = to.to_owned();
            }
        }
        self.wake()
    }

    pub(super) fn delete_target_group(&mut self, service: &str) -> Result<(), String> {
        // AWS deletes no group that a listener uses.
        self.detach_target_group(service)?;
        let arn = self.target_group_arn(service)?;
        self.region()?.target_groups.remove(&arn);
        self.wake()
    }

    pub(super) fn recreate_target_group(&mut self, service: &str) -> Result<(), String> {
        let region = self.region()?;
        let page = region
            .target_groups
            .values()
            .find(|group| group.name == "maintenance")
            .cloned()
            .ok_or_else(|| missing("target group", "maintenance"))?;
        let id = region.ids.child(&format!("recreated/{service}")).hex(16);
        let name = service.replace('/', "-");
        let arn = region.arn("elasticloadbalancing", &format!("targetgroup/{name}/{id}"));
        let group = TargetGroup {
            name,
            arn: arn.clone(),
            ..page.clone()
        };
        region.target_groups.insert(arn.clone(), group);
        self.forward(&page.arn, &arn)?;
        let mut bindings = self.service(service)?.load_balancers.clone();
        for binding in &mut bindings {
            binding.target_group_arn.clone_from(&arn);
        }
        self.update(service, |input| input.load_balancers = Some(bindings))
    }

    pub(super) fn set_balancer_zones(
        &mut self,
        service: &str,
        letters: &[String],
    ) -> Result<(), String> {
        let arn = self.target_group_arn(service)?;
        let region = self.region()?;
        let subnets = layout::subnets(region, "public", letters);
        let balancers = region
            .target_groups
            .get(&arn)
            .map(|group| group.load_balancers.clone())
            .unwrap_or_default();
        for balancer in balancers {
            if let Some(balancer) = region.load_balancers.get_mut(&balancer) {
                balancer.subnets.clone_from(&subnets);
            }
        }
        self.wake()
    }

    pub(super) fn balancer_groups(
        &mut self,
        change: impl Fn(&mut SecurityGroup),
    ) -> Result<(), String> {
        for group in self.region()?.security_groups.values_mut() {
            if group.name == "load-balancers" {
                change(group);
            }
        }
        self.wake()
    }
}
