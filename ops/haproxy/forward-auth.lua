-- Forward authentication for HAProxy 2.6 or newer, which has none of its own:
--   http-request lua.forward_auth <url of the service's /verify/haproxy>
-- Lets a request pass by setting the variable txn.holdfast to "passed"; answers everything else itself.

-- HAProxy 2.6 asks three times more after a timeout: 3.2 s in all, longer than the service takes to say 503 by itself.
-- What it finds out for the first question it knows for the next ones.
local TIMEOUT_MS = 800
local IDENTITY = { "x-auth-subject", "x-auth-scopes", "x-auth-session", "x-auth-issuer", "x-auth-degraded" }
local DENIED = { [400] = true, [401] = true, [403] = true, [429] = true, [503] = true }
local TOLD = { "www-authenticate", "retry-after", "content-type", "cache-control" }

local function values(headers, name)
	local found = {}
	for i = 0, #(headers[name] or {}) do found[#found + 1] = (headers[name] or {})[i] end
	return found
end

local function ask(txn, url)
	local sent = txn.http:req_get_headers()
	local headers = {
		["x-forwarded-method"] = { txn.sf:method() },
		["x-forwarded-uri"] = { txn.sf:pathq() },
		-- All of them: which of two counts is not ours to guess.
		["x-forwarded-host"] = values(sent, "host"),
		["authorization"] = values(sent, "authorization"),
	}
	return core.httpclient():get({ url = url, headers = headers, timeout = TIMEOUT_MS })
end

local function deny(txn, status, headers, body)
	local reply = txn:reply({ status = status })
	for _, name in ipairs(TOLD) do
		for _, value in ipairs(values(headers, name)) do reply:add_header(name, value) end
	end
	-- For a service that does not answer HAProxy makes up a 503 without it.
	if status == 503 and not headers["retry-after"] then reply:add_header("retry-after", "1") end
	reply:set_body(body)
	txn:done(reply)
end

core.register_action("forward_auth", { "http-req" }, function(txn, url)
	local asked, answer = pcall(ask, txn, url)
	local status = asked and answer and answer.status or 0
	if status == 200 and answer.headers["x-auth-degraded"] then
		for _, name in ipairs(IDENTITY) do
			txn.http:req_set_header(name, values(answer.headers, name)[1] or "")
		end
		txn:set_var("txn.holdfast", "passed")
	elseif DENIED[status] then
		deny(txn, status, answer.headers, answer.body or "")
	else
		-- Silent or talking nonsense.
		deny(txn, 503, { ["cache-control"] = { [0] = "no-store" } }, "")
	end
end, 1)
