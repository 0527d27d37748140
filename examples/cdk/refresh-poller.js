const { Token } = require('aws-cdk-lib');
const { Asset } = require('aws-cdk-lib/aws-s3-assets');
const { CfnInclude } = require('aws-cdk-lib/cloudformation-include');
const { Construct } = require('constructs');
const path = require('node:path');

/**
 * A release's stack in a stack of your own. Its properties are
 * - release: the folder that the release's _stack.zip was unpacked into
 * - parameters: values of the template's parameters; what is left out stays a parameter, with the template's default
 */
class RefreshPoller extends Construct {
  constructor(scope, id, { release, parameters }) {
    super(scope, id);
    this.include = new CfnInclude(this, 'Template', {
      templateFile: path.join(release, 'template.yaml'),
      parameters,
    });
    for (const name of ['PollerFunction', 'ResumeFunction']) {
      const zip = new Asset(this, `${name}Zip`, { path: path.join(release, `${name}.zip`) });
      this.include.getResource(name).codeUri = { bucket: zip.s3BucketName, key: zip.s3ObjectKey };
    }
  }

  /** The value of an output of the template, such as JobQueueArn, as a text for other constructs. */
  output(name) {
    return Token.asString(this.include.getOutput(name).value);
  }
}

module.exports = { RefreshPoller };
