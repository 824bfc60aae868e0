-- Judges one request by all its meters and counts it in each of them, or in none. The rules are those of domain/quota.rs.
--
-- KEYS[1]  the client: three numbers (at, current, previous) per slot.
-- ARGV     number of slots; life of the key in ms; then per meter: slot (from 0), 'bucket' or 'window', limit, span in us.
-- Answer   meter that says most (from 1), wait in us (0: admitted), remaining, reset in us.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local counts = {}
for number in string.gmatch(redis.call('GET', KEYS[1]) or '', '%d+') do
  counts[#counts + 1] = tonumber(number)
end
for index = #counts + 1, 3 * tonumber(ARGV[1]) do
  counts[index] = 0
end

local function worn_off(count, left, width)
  if count < left then return 0 end
  return width - math.floor((left * width - 1) / count)
end

local longest, refusing = 0, nil
local least, fullest, reset = nil, nil, nil
for meter = 1, (#ARGV - 2) / 4 do
  local first = 4 * meter - 1
  local at = 3 * tonumber(ARGV[first]) + 1
  local limit, span = tonumber(ARGV[first + 2]), tonumber(ARGV[first + 3])
  local wait
  if ARGV[first + 1] == 'bucket' then
    wait = math.max(counts[at] - now, 0) - span * (limit - 1)
    counts[at] = math.max(counts[at], now) + span
  else
    local window, elapsed = math.floor(now / span), now % span
    local ahead = window - counts[at]
    if ahead > 0 then
      counts[at + 2] = ahead == 1 and counts[at + 1] or 0
      counts[at + 1] = 0
      counts[at] = window
    end
    local current, previous = counts[at + 1], counts[at + 2]
    if current >= limit then
      wait = span - elapsed + worn_off(current, limit, span)
    else
      wait = worn_off(previous, limit - current, span) - elapsed
    end
    counts[at + 1] = current + 1
    local remaining = math.max(limit - current - 1 - math.floor(previous * (span - elapsed) / span), 0)
    if not least or remaining < least then
      least, fullest, reset = remaining, meter, span - elapsed
    end
  end
  if wait > longest then
    longest, refusing = wait, meter
  end
end

if refusing then
  return { refusing, longest, 0, longest }
end
for index = 1, #counts do
  counts[index] = string.format('%.0f', counts[index])
end
redis.call('SET', KEYS[1], table.concat(counts, ' '), 'PX', ARGV[2])
return { fullest, 0, least, reset }
