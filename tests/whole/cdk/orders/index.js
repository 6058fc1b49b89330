exports.handler = async event => ({ asked: event });
