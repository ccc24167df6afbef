use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// One action on one resource under conditions, as text.
fn meaning<'a>(permissions: impl IntoIterator<Item = &'a Permission>) -> BTreeSet<String> {
    permissions
        .into_iter()
        .flat_map(|permission| {
            permission.actions.iter().flat_map(move |action| {
                permission
                    .resources
                    .iter()
                    .map(move |resource| format!("{action} {resource} {:?}", permission.conditions))
            })
        })
        .collect()
}

fn permission() -> impl Strategy<Value = Permission> {
    let actions = prop::collection::vec("(ecs|ec2|logs):[A-Z][a-z]{3,9}[A-Z][a-z]{3,9}", 1..4);
    let resource = "arn:aws:ecs:us-east-1:111122223333:service/[a-z]{1,20}/[a-z0-9-]{1,200}";
    let resources = prop::collection::vec(resource, 1..4);
    (actions, resources, any::<bool>()).prop_map(|(actions, resources, in_cluster)| {
        let permission = Permission {
            actions,
            resources,
            conditions: std::collections::BTreeMap::new(),
        };
        match in_cluster {
            true => permission.when("ArnEquals", "ecs:cluster", "arn:aws:ecs:a"),
            false => permission,
        }
    })
}

/// Plans of up to eight steps, from nothing to far too much for a session.
fn plans() -> impl Strategy<Value = Vec<Vec<Permission>>> {
    prop::collection::vec(prop::collection::vec(permission(), 0..5), 1..9)
}

fn numbered(steps: &[Vec<Permission>]) -> impl Iterator<Item = (u32, &[Permission])> {
    (1..).zip(steps.iter().map(Vec::as_slice))
}

proptest! {
    #[test]
    fn the_parts_are_the_whole_and_every_part_fits(steps in plans()) {
        let sessions = match split(numbered(&steps)) {
            Ok(sessions) => sessions,
            Err(StepTooLarge { step, source }) => {
                // Only a step that does not fit alone is refused.
                prop_assert!(source.is_too_long());
                let alone = &steps[step as usize - 1];
                prop_assert!(session(vec![step], alone.iter().cloned()).is_err());
                return Ok(());
            }
        };
        // The union of the parts is the whole: nothing lost, nothing wider.
        prop_assert_eq!(
            meaning(sessions.iter().flat_map(|one| &one.permissions)),
            meaning(steps.iter().flatten())
        );
        // Each part fits, and holds exactly what its own steps need.
        for one in &sessions {
            prop_assert!(one.policy().to_json().len() <= 2_048);
            prop_assert!(one.policy().packed_bytes() <= 800);
            let own = one.steps.iter().flat_map(|step| &steps[*step as usize - 1]);
            prop_assert_eq!(meaning(&one.permissions), meaning(own));
        }
        // Every step that needs something is in one part, in order.
        let placed: Vec<u32> = sessions.iter().flat_map(|one| one.steps.clone()).collect();
        let needing: Vec<u32> = numbered(&steps)
            .filter(|(_, needed)| !needed.is_empty())
            .map(|(number, _)| number)
            .collect();
        prop_assert_eq!(placed, needing);
    }
}

#[test]
fn what_fits_is_one_session() {
    let step = vec![Permission::new(
        &["ecs:UpdateService"],
        vec!["arn:aws:ecs:us-east-1:111122223333:service/prod/api".to_owned()],
    )];
    let sessions = split(numbered(&[step.clone(), step])).unwrap();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0].name(), "steps 1-2");
}

/// Eight steps whose permissions have nothing in common take more than one session, and no fewer
/// steps are in each than fit.
#[test]
fn what_does_not_fit_is_split_between_steps() {
    let steps: Vec<Vec<Permission>> = (0..8)
        .map(|number| {
            let resources = (0..6)
                .map(|part| {
                    format!(
                        "arn:aws:ecs:us-east-1:111122223333:service/c/{number}x{part}{}",
                        "y".repeat(40)
                    )
                })
                .collect();
            vec![Permission::new(&["ecs:UpdateService"], resources)]
        })
        .collect();
    let sessions = split(numbered(&steps)).unwrap();
    assert!(sessions.len() > 1, "{sessions:?}");
    for pair in sessions.windows(2) {
        let next = steps[pair[1].steps[0] as usize - 1].clone();
        let more = pair[0].permissions.iter().cloned().chain(next);
        assert!(session(Vec::new(), more).is_err(), "it would have fitted");
    }
}

#[test]
fn a_step_that_fits_no_session_is_named() {
    let long = (0..20).map(|number| format!("arn:aws:s:{number}{}", "x".repeat(120)));
    let steps = [
        Vec::new(),
        vec![Permission::new(&["ecs:StopTask"], long.collect())],
    ];
    let error = split(numbered(&steps)).unwrap_err();
    assert_eq!(error.step, 2);
    let text = error.to_string();
    assert!(text.contains("step 2 alone"), "{text}");
    let why = error.source.to_string();
    assert!(why.contains("characters long"), "{why}");
}
