//! Amazon CloudWatch: the lab keeps no metrics yet, and says so by answering with none.

use serde_json::{Value, json};

use super::{Effect, Operation, everything};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        service: "cloudwatch",
        name: "DescribeAlarms",
        effect: Effect::Reads,
        needs: |_| everything("cloudwatch:DescribeAlarms"),
        run: |_| Ok(json!({"MetricAlarms": [], "CompositeAlarms": []})),
    },
    Operation {
        service: "cloudwatch",
        name: "ListMetrics",
        effect: Effect::Reads,
        needs: |_| everything("cloudwatch:ListMetrics"),
        run: |_| Ok(json!({"Metrics": []})),
    },
    Operation {
        service: "cloudwatch",
        name: "GetMetricData",
        effect: Effect::Reads,
        needs: |_| everything("cloudwatch:GetMetricData"),
        run: |call| {
            let queries = call.input.items("MetricDataQueries");
            let results = queries.iter().map(|query| {
                json!({
                    "Id": query.text("Id").unwrap_or_default(),
                    "Label": query.text("Label").or(query.text("Id")).unwrap_or_default(),
                    "Timestamps": [],
                    "Values": [],
                    "StatusCode": "Complete",
                })
            });
            Ok(json!({"MetricDataResults": results.collect::<Vec<Value>>(), "Messages": []}))
        },
    },
    Operation {
        service: "cloudwatch",
        name: "GetMetricStatistics",
        effect: Effect::Reads,
        needs: |_| everything("cloudwatch:GetMetricStatistics"),
        run: |call| {
            Ok(
                json!({"Label": call.input.text("MetricName").unwrap_or_default(), "Datapoints": []}),
            )
        },
    },
];
