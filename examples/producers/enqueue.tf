# Begins a watch for each event "Refresh submitted" on a bus: refresh-submitted/template.yaml, in Terraform.

variable "job_queue_arn" {
  description = "The refresh poller's queue, its stack's output JobQueueArn."
  type        = string
}

variable "producer_source" {
  description = "Source that your programs publish with."
  type        = string
}

variable "event_bus_name" {
  description = "Bus that your programs publish on."
  type        = string
  default     = "default"
}

resource "aws_cloudwatch_event_rule" "refresh_submitted" {
  name           = "refresh-submitted"
  description    = "Each refresh submitted, to the refresh poller."
  event_bus_name = var.event_bus_name
  event_pattern = jsonencode({
    source        = [var.producer_source]
    "detail-type" = ["Refresh submitted"]
    detail        = { jobId = [{ exists = true }] }
  })
}

resource "aws_cloudwatch_event_target" "jobs" {
  rule           = aws_cloudwatch_event_rule.refresh_submitted.name
  event_bus_name = var.event_bus_name
  target_id      = "jobs"
  # No permission is made here: the queue's own policy lets the rules of its account send. Don't give it an
  # aws_sqs_queue_policy: a queue has one policy, and it would replace the stack's.
  arn = var.job_queue_arn

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }
}

# Takes what EventBridge could not deliver.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "refresh-submitted-dead-letters"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "DenyWithoutTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = aws_sqs_queue.dead_letters.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "AllowTheRule"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.dead_letters.arn
        Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.refresh_submitted.arn } }
      },
    ]
  })
}
