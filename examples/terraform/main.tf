# A release's stack: its functions' packages and its template in a bucket, and the CloudFormation stack of them.

terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

locals {
  functions = toset(["PollerFunction", "ResumeFunction"])

  # Keys with a checksum, so that CloudFormation sees what has changed.
  packages = {
    for name in local.functions : name => "${name}-${filesha256("${var.release}/${name}.zip")}.zip"
  }

  # CodeUri names the zip beside the template.
  template = replace(
    replace(
      file("${var.release}/template.yaml"),
      "CodeUri: PollerFunction.zip", "CodeUri: 's3://${aws_s3_bucket.release.id}/${local.packages["PollerFunction"]}'"
    ),
    "CodeUri: ResumeFunction.zip", "CodeUri: 's3://${aws_s3_bucket.release.id}/${local.packages["ResumeFunction"]}'"
  )

  parameters = {
    ClusterEndpoint             = var.cluster_endpoint
    ClusterTokenSecretArn       = var.cluster_token_secret_arn
    ClusterTokenSecretKmsKeyArn = var.cluster_token_secret_kms_key_arn
    JobKind                     = var.job_kind
    StartRefreshes              = var.start_refreshes
    EventBusName                = var.event_bus_name
    EventSource                 = var.event_source
    PublishProgress             = var.publish_progress
    EventArchiveDays            = var.event_archive_days
    RegisterSchemas             = var.register_schemas
    ResumeWorkflows             = var.resume_workflows
    WorkflowArns                = var.workflow_arns
    MinPollDelaySeconds         = var.min_poll_delay_seconds
    MaxPollDelaySeconds         = var.max_poll_delay_seconds
    WatchDeadlineSeconds        = var.watch_deadline_seconds
    NotFoundGraceSeconds        = var.not_found_grace_seconds
    DescribeRateLimit           = var.describe_rate_limit
    MaximumConcurrency          = var.maximum_concurrency
    BatchingWindowSeconds       = var.batching_window_seconds
    AlarmTopicArn               = var.alarm_topic_arn
    LogLevel                    = var.log_level
    LogRetentionDays            = var.log_retention_days
    Tracing                     = var.tracing
    VpcSubnetIds                = var.vpc_subnet_ids
    VpcSecurityGroupIds         = var.vpc_security_group_ids
    PermissionsBoundaryArn      = var.permissions_boundary_arn
    RolePath                    = var.role_path
    KmsKeyArn                   = var.kms_key_arn
  }
}

resource "aws_s3_bucket" "release" {
  bucket_prefix = "refresh-poller-"
  force_destroy = true # it holds nothing but what the release has
}

resource "aws_s3_bucket_public_access_block" "release" {
  bucket                  = aws_s3_bucket.release.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_object" "package" {
  for_each = local.packages
  bucket   = aws_s3_bucket.release.id
  key      = each.value
  source   = "${var.release}/${each.key}.zip"
}

resource "aws_s3_object" "template" {
  bucket  = aws_s3_bucket.release.id
  key     = "template-${sha256(local.template)}.yaml"
  content = local.template
}

resource "aws_cloudformation_stack" "refresh_poller" {
  name         = var.stack_name
  template_url = "https://${aws_s3_bucket.release.bucket_regional_domain_name}/${aws_s3_object.template.key}"
  parameters   = { for name, value in local.parameters : name => value if value != null }
  # The roles, and the transform of SAM.
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
  tags         = var.tags

  depends_on = [aws_s3_object.package]
}
