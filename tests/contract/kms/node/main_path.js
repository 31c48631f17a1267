// The main path of a key through the unmodified npm package; prints what it saw as one JSON object.
const { default: Client, ...models } = require('@alicloud/kms20160120');
const { Config } = require('@alicloud/rpc-client');

const { endpoint, accessKeyId, accessKeySecret, securityToken } = JSON.parse(process.argv[2]);
const client = new Client(new Config({
  endpoint, accessKeyId, accessKeySecret, securityToken, protocol: 'http', regionId: 'cn-hangzhou',
}));

function call(operation, parameters) {
  const Request = models[`${operation}Request`];
  return client[operation[0].toLowerCase() + operation.slice(1)](new Request(parameters));
}

async function main() {
  const plaintext = Buffer.from('Zürich & +').toString('base64');
  const { keyMetadata: key } = await call('CreateKey', { description: 'näive + &' });
  const { ciphertextBlob } = await call('Encrypt', {
    keyId: key.keyId, plaintext, encryptionContext: { a: 'b c' },
  });
  const opened = await call('Decrypt', { ciphertextBlob, encryptionContext: { a: 'b c' } });
  const wrong = await call('Decrypt', {
    ciphertextBlob, encryptionContext: { a: 'c' },
  }).catch((error) => error);
  const dataKey = await call('GenerateDataKey', { keyId: key.keyId, numberOfBytes: 24 });
  await call('TagResource', { keyId: key.keyId, tags: '[{"TagKey":"a","TagValue":"b"}]' });
  const { tags } = await call('ListResourceTags', { keyId: key.keyId });
  await call('DisableKey', { keyId: key.keyId });
  const disabled = await call('Decrypt', {
    ciphertextBlob, encryptionContext: { a: 'b c' },
  }).catch((error) => error);
  return {
    description: key.description,
    same: opened.plaintext === plaintext && opened.keyId === key.keyId,
    wrong: wrong.data ? wrong.data.Code : String(wrong),
    dataKey: Buffer.from(dataKey.plaintext, 'base64').length,
    tags: tags.tag.map(({ tagKey, tagValue }) => [tagKey, tagValue]),
    // The package appends "Error" to every code; what was sent is in its data.
    disabled: disabled.code,
    status: disabled.data && disabled.data.HttpStatus,
  };
}

main().then((seen) => console.log(JSON.stringify(seen)), (error) => {
  console.error(error);
  process.exit(1);
});
