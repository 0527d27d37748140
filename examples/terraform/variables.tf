# All parameters of the stack. null is the template's own default; the README's table explains each.

variable "stack_name" {
  description = "Name of the stack, 62 characters at most."
  type        = string
  default     = "refresh-poller"
}

variable "release" {
  description = "Folder that a release's _stack.zip was unpacked into."
  type        = string
}

variable "tags" {
  description = "Tags of the stack, which CloudFormation hands on to its resources."
  type        = map(string)
  default     = {}
}

variable "cluster_endpoint" {
  description = "Cluster endpoint."
  type        = string
}

variable "cluster_token_secret_arn" {
  description = "Secret with the cluster's token."
  type        = string
}

variable "cluster_token_secret_kms_key_arn" {
  description = "KMS key of that secret."
  type        = string
  default     = null
}

variable "job_kind" {
  description = "Kind of the jobs."
  type        = string
  default     = null
}

variable "start_refreshes" {
  description = "Let messages start refreshes."
  type        = string
  default     = null
}

variable "event_bus_name" {
  description = "Event bus."
  type        = string
  default     = null
}

variable "event_source" {
  description = "Source of the events."
  type        = string
  default     = null
}

variable "publish_progress" {
  description = "Publish progress too."
  type        = bool
  default     = null
}

variable "event_archive_days" {
  description = "Days to archive events."
  type        = number
  default     = null
}

variable "register_schemas" {
  description = "Register the events' schemas."
  type        = bool
  default     = null
}

variable "resume_workflows" {
  description = "Wake workflows that wait."
  type        = bool
  default     = null
}

variable "workflow_arns" {
  description = "State machines that may be woken."
  type        = string
  default     = null
}

variable "min_poll_delay_seconds" {
  description = "Shortest delay between two polls (s)."
  type        = number
  default     = null
}

variable "max_poll_delay_seconds" {
  description = "Longest delay between two polls (s)."
  type        = number
  default     = null
}

variable "watch_deadline_seconds" {
  description = "Give up a watch after (s)."
  type        = number
  default     = null
}

variable "not_found_grace_seconds" {
  description = "Grace for a job not found (s)."
  type        = number
  default     = null
}

variable "describe_rate_limit" {
  description = "Describe calls a second."
  type        = number
  default     = null
}

variable "maximum_concurrency" {
  description = "Concurrent executions."
  type        = number
  default     = null
}

variable "batching_window_seconds" {
  description = "Wait for a batch to fill (s)."
  type        = number
  default     = null
}

variable "alarm_topic_arn" {
  description = "SNS topic for alarms."
  type        = string
  default     = null
}

variable "log_level" {
  description = "Log level."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days to keep logs."
  type        = number
  default     = null
}

variable "tracing" {
  description = "X-Ray tracing."
  type        = string
  default     = null
}

variable "vpc_subnet_ids" {
  description = "Subnets."
  type        = string
  default     = null
}

variable "vpc_security_group_ids" {
  description = "Security groups."
  type        = string
  default     = null
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the roles."
  type        = string
  default     = null
}

variable "role_path" {
  description = "Path of the roles."
  type        = string
  default     = null
}

variable "kms_key_arn" {
  description = "KMS key of the stack's data."
  type        = string
  default     = null
}
