# All outputs of the stack. null is one that it does not have, as those of ResumeWorkflows.

output "job_queue_url" {
  description = "URL of the queue that takes job ids."
  value       = lookup(aws_cloudformation_stack.refresh_poller.outputs, "JobQueueUrl", null)
}

output "job_queue_arn" {
  description = "ARN of the queue that takes job ids, for the target of a rule."
  value       = lookup(aws_cloudformation_stack.refresh_poller.outputs, "JobQueueArn", null)
}

output "dead_letter_queue_url" {
  description = "URL of the queue with the messages that could not be read or handled."
  value       = lookup(aws_cloudformation_stack.refresh_poller.outputs, "DeadLetterQueueUrl", null)
}

output "event_bus_name" {
  description = "Name of the bus that the events are published to."
  value       = lookup(aws_cloudformation_stack.refresh_poller.outputs, "EventBusName", null)
}

output "event_bus_arn" {
  description = "ARN of the bus that the events are published to."
  value       = lookup(aws_cloudformation_stack.refresh_poller.outputs, "EventBusArn", null)
}

output "poller_function_name" {
  description = "Name of the function, for its logs and metrics."
  value       = lookup(aws_cloudformation_stack.refresh_poller.outputs, "PollerFunctionName", null)
}

output "enqueue_policy_arn" {
  description = "ARN of the managed policy to attach to the role of whoever sends job ids."
  value       = lookup(aws_cloudformation_stack.refresh_poller.outputs, "EnqueuePolicyArn", null)
}

output "resume_function_name" {
  description = "Name of the function that wakes workflows."
  value       = lookup(aws_cloudformation_stack.refresh_poller.outputs, "ResumeFunctionName", null)
}

output "resume_dead_letter_queue_url" {
  description = "URL of the queue with the events that did not reach their workflow."
  value       = lookup(aws_cloudformation_stack.refresh_poller.outputs, "ResumeDeadLetterQueueUrl", null)
}

output "version" {
  description = "Version of Refresh Poller that is deployed."
  value       = lookup(aws_cloudformation_stack.refresh_poller.outputs, "Version", null)
}
