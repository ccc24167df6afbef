use std::collections::BTreeMap;

use super::*;

fn load(file: &str, environment: &[(&str, &str)], flags: Layer) -> Configuration {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    std::fs::write(&path, file).unwrap();
    let settings: BTreeMap<String, String> = environment
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    let environment = Environment {
        settings,
        ..Environment::default()
    };
    Configuration::load(Some(&path), flags, &environment).unwrap()
}

fn region(name: &str) -> Region {
    name.parse().unwrap()
}

#[test]
fn file_environment_and_flags_each_win_over_the_one_before() {
    let file = "region = \"eu-west-1\"";
    let environment = [("REGION", "eu-west-2")];
    let flags = || Layer {
        region: Some(region("eu-west-3")),
        ..Layer::default()
    };
    let cases = [
        (load(file, &[], Layer::default()), "eu-west-1", Origin::File),
        (
            load(file, &environment, Layer::default()),
            "eu-west-2",
            Origin::Environment,
        ),
        (load(file, &environment, flags()), "eu-west-3", Origin::Flag),
        (load(file, &[], flags()), "eu-west-3", Origin::Flag),
    ];
    for (configuration, value, origin) in cases {
        assert_eq!(
            configuration.region,
            Some(Setting {
                value: region(value),
                origin
            })
        );
    }
}

#[test]
fn there_is_no_silent_region_and_there_are_no_silent_credentials() {
    let configuration = load("", &[], Layer::default());
    assert_eq!(configuration.region, None);
    assert!(matches!(
        configuration.reference(),
        Err(ConfigurationError::NoCredentials)
    ));
}

#[test]
fn a_stronger_layer_replaces_the_whole_choice_of_credentials() {
    let flags = Layer {
        credentials: Some(super::super::layer::CredentialKeyword::Env),
        ..Layer::default()
    };
    let configuration = load("profile = \"dev\"", &[], flags);
    assert_eq!(
        configuration.reference().unwrap(),
        CredentialReference::Static {
            label: ENVIRONMENT_LABEL.to_owned()
        }
    );
}

#[test]
fn a_role_is_assumed_with_the_chosen_credentials() {
    let role = "arn:aws:iam::123456789012:role/ecs-deep-agent";
    let file = format!("profile = \"dev\"\nrole_arn = \"{role}\"\nexternal_id = \"shop\"");
    assert_eq!(
        load(&file, &[], Layer::default()).reference().unwrap(),
        CredentialReference::AssumeRole {
            role_arn: role.parse().unwrap(),
            external_id: Some("shop".to_owned()),
            base: Box::new(CredentialReference::Profile {
                name: "dev".to_owned()
            }),
        }
    );
}

#[test]
fn an_external_id_without_a_role_is_a_mistake() {
    let environment = Environment {
        settings: BTreeMap::from([("EXTERNAL_ID".to_owned(), "shop".to_owned())]),
        ..Environment::default()
    };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.toml");
    std::fs::write(&file, "").unwrap();
    let error = Configuration::load(Some(&file), Layer::default(), &environment).unwrap_err();
    assert!(matches!(error, ConfigurationError::ExternalIdWithoutRole));
}
