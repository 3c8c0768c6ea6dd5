-- SPDX-License-Identifier: MIT
-- For wrk: every body must be what the file of that name contains.
--
--	wrk ... -s verify.lua URL -- FILE
--
-- Ends with the line `verified: N equal, N different'.  wrk calls setup() and
-- done() in its main thread, the other functions in each of its threads, which
-- share nothing; done() asks them for their globals.

local threads = {}

function setup(thread)
	threads[#threads + 1] = thread
end

function init(args)
	local file = assert(io.open(args[1], "rb"))
	expected = file:read("*a")
	file:close()
	nr_equal, nr_different = 0, 0
end

function response(status, _, body)
	if status == 200 and body == expected then
		nr_equal = nr_equal + 1
	else
		nr_different = nr_different + 1
	end
end

function done()
	local equal, different = 0, 0
	for _, thread in ipairs(threads) do
		equal = equal + thread:get("nr_equal")
		different = different + thread:get("nr_different")
	end
	print(string.format("verified: %d equal, %d different", equal, different))
end
