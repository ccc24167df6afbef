# Roles of ECS Deep Agent. Generated: `ecs-deep-agent permissions --template terraform`.

variable "principal_arn" {
  type        = string
  description = "ARN of the identity that assumes the roles"
}

variable "external_id" {
  type        = string
  sensitive   = true
  description = "Secret word of this installation, asked for by the trust policy"
}

locals {
  trust = <<-TRUST
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "AssumedForSomebody",
          "Effect": "Allow",
          "Principal": {
            "AWS": "${var.principal_arn}"
          },
          "Action": [
            "sts:AssumeRole",
            "sts:SetSourceIdentity",
            "sts:TagSession"
          ],
          "Condition": {
            "StringEquals": {
              "sts:ExternalId": "${var.external_id}"
            },
            "StringLike": {
              "sts:SourceIdentity": "*",
              "aws:RequestTag/tenant": "*",
              "aws:RequestTag/thread": "*"
            },
            "ForAllValues:StringEquals": {
              "aws:TagKeys": [
                "tenant",
                "thread",
                "plan"
              ]
            }
          }
        }
      ]
    }
  TRUST
}

resource "aws_iam_role" "observe" {
  name                 = "ecs-deep-agent-observe"
  description          = "Reads an ECS service and what it depends on"
  max_session_duration = 3600
  assume_role_policy   = local.trust
}

resource "aws_iam_role_policy" "observe" {
  name   = "observe"
  role   = aws_iam_role.observe.id
  policy = <<-POLICY
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "Observe",
          "Effect": "Allow",
          "Action": [
            "application-autoscaling:DescribeScalableTargets",
            "application-autoscaling:DescribeScalingActivities",
            "application-autoscaling:DescribeScalingPolicies",
            "cloudformation:DescribeStackEvents",
            "cloudformation:DescribeStacks",
            "ec2:DescribeNatGateways",
            "ec2:DescribeNetworkAcls",
            "ec2:DescribeRouteTables",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcEndpoints",
            "ecr:DescribeImages",
            "ecs:DescribeContainerInstances",
            "ecs:DescribeServices",
            "ecs:DescribeTaskDefinition",
            "ecs:DescribeTasks",
            "ecs:ListClusters",
            "ecs:ListContainerInstances",
            "ecs:ListServices",
            "ecs:ListTaskDefinitions",
            "ecs:ListTasks",
            "elasticloadbalancing:DescribeListeners",
            "elasticloadbalancing:DescribeLoadBalancers",
            "elasticloadbalancing:DescribeRules",
            "elasticloadbalancing:DescribeTargetGroups",
            "elasticloadbalancing:DescribeTargetHealth",
            "iam:GetRole",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:SimulatePrincipalPolicy",
            "logs:DescribeLogGroups",
            "logs:FilterLogEvents"
          ],
          "Resource": "*"
        }
      ]
    }
  POLICY
}

output "observe_role_arn" {
  value = aws_iam_role.observe.arn
}

resource "aws_iam_role" "operate" {
  name                 = "ecs-deep-agent-operate"
  description          = "The same, and the changes of approved plans"
  max_session_duration = 3600
  assume_role_policy   = local.trust
}

resource "aws_iam_role_policy" "operate" {
  name   = "operate"
  role   = aws_iam_role.operate.id
  policy = <<-POLICY
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "Observe",
          "Effect": "Allow",
          "Action": [
            "application-autoscaling:DescribeScalableTargets",
            "application-autoscaling:DescribeScalingActivities",
            "application-autoscaling:DescribeScalingPolicies",
            "cloudformation:DescribeStackEvents",
            "cloudformation:DescribeStacks",
            "ec2:DescribeNatGateways",
            "ec2:DescribeNetworkAcls",
            "ec2:DescribeRouteTables",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcEndpoints",
            "ecr:DescribeImages",
            "ecs:DescribeContainerInstances",
            "ecs:DescribeServices",
            "ecs:DescribeTaskDefinition",
            "ecs:DescribeTasks",
            "ecs:ListClusters",
            "ecs:ListContainerInstances",
            "ecs:ListServices",
            "ecs:ListTaskDefinitions",
            "ecs:ListTasks",
            "elasticloadbalancing:DescribeListeners",
            "elasticloadbalancing:DescribeLoadBalancers",
            "elasticloadbalancing:DescribeRules",
            "elasticloadbalancing:DescribeTargetGroups",
            "elasticloadbalancing:DescribeTargetHealth",
            "iam:GetRole",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:SimulatePrincipalPolicy",
            "logs:DescribeLogGroups",
            "logs:FilterLogEvents"
          ],
          "Resource": "*"
        },
        {
          "Sid": "Operate",
          "Effect": "Allow",
          "Action": [
            "application-autoscaling:RegisterScalableTarget",
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress",
            "ecs:RegisterTaskDefinition",
            "ecs:StopTask",
            "ecs:UpdateService",
            "elasticloadbalancing:ModifyTargetGroup",
            "logs:CreateLogGroup"
          ],
          "Resource": "*"
        },
        {
          "Sid": "ecsTagResource",
          "Effect": "Allow",
          "Action": "ecs:TagResource",
          "Resource": "*",
          "Condition": {
            "StringEquals": {
              "ecs:CreateAction": "RegisterTaskDefinition"
            }
          }
        },
        {
          "Sid": "iamPassRole",
          "Effect": "Allow",
          "Action": "iam:PassRole",
          "Resource": "*",
          "Condition": {
            "StringEquals": {
              "iam:PassedToService": "ecs-tasks.amazonaws.com"
            }
          }
        }
      ]
    }
  POLICY
}

output "operate_role_arn" {
  value = aws_iam_role.operate.arn
}
